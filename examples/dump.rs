use frontdesk::retrieval::{Passage, embedder::EmbedError, ingest::*};
use std::sync::Mutex;
struct Sink(Mutex<Vec<Passage>>);
impl PassageSink for Sink {
    async fn documents(&self, _: &str) -> anyhow::Result<Vec<(String, String, usize)>> {
        Ok(vec![])
    }
    async fn upsert(&self, p: Vec<(Passage, Vec<f32>)>) -> anyhow::Result<()> {
        self.0.lock().unwrap().extend(p.into_iter().map(|p| p.0));
        Ok(())
    }
    async fn remove_documents(&self, _: &str, _: &[String]) -> anyhow::Result<()> {
        Ok(())
    }
    async fn flush(&self) -> anyhow::Result<()> {
        Ok(())
    }
    async fn optimize(&self) -> anyhow::Result<()> {
        Ok(())
    }
}
struct No;
impl PassageEmbedder for No {
    async fn embed(&self, t: Vec<String>) -> Result<Vec<Vec<f32>>, EmbedError> {
        Ok(vec![vec![]; t.len()])
    }
}
#[tokio::main]
async fn main() {
    let path: std::path::PathBuf = std::env::args().nth(1).unwrap().into();
    let sink = Sink(Mutex::new(vec![]));
    let o = IngestOptions { base: Some(path.clone()), ..Default::default() };
    ingest(IngestParts { index: &sink, embedder: &No }, "s", &[path], &o, &|_| ()).await.unwrap();
    for p in sink.0.lock().unwrap().iter() {
        println!("{}", serde_json::to_string(p).unwrap());
    }
}
