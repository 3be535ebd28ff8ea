//! What embedding documents costs, and what it costs a chat that is being written meanwhile.

use std::time::Instant;

use anyhow::Context as _;

use super::load::{Texts, ask, story};
use super::{Measure, cost, rate, share};
use crate::llm::Llm;
use crate::retrieval::embedder::{Embedder, EmbedderConfig};

/// As ingestion hands them over.
const PASSAGES: usize = 64;
/// Lengths of passages in tokens: from a line of a list to a full section.
const LENGTHS: std::ops::Range<usize> = 30..250;

pub(super) async fn run(
    llm: &Llm,
    config: &EmbedderConfig,
    texts: &mut Texts,
) -> anyhow::Result<Vec<Measure>> {
    let embedder =
        tokio::task::block_in_place(|| Embedder::load(config)).context("the embedding model")?;
    let passages = |texts: &mut Texts| -> Vec<String> {
        (0..PASSAGES)
            .map(|_| {
                let tokens = texts.length(LENGTHS);
                texts.text(tokens)
            })
            .collect()
    };
    // Warms up: the first batch touches the memory for the first time.
    embedder.embed(passages(texts)).await?;
    let (begun, cpu) = (Instant::now(), cpu_s()?);
    embedder.embed(passages(texts)).await?;
    let (took, cpu) = (begun.elapsed().as_secs_f64(), cpu_s()? - cpu);

    let alone = ask(llm, story(texts, 30, 96)).await?.tokens_a_second();
    #[expect(
        clippy::disallowed_methods,
        reason = "the measurement waits for it and ends with the command"
    )]
    let busy = tokio::spawn({
        let (embedder, passages) = (
            embedder.clone(),
            std::iter::repeat_with(|| passages(texts)).take(8).collect::<Vec<_>>(),
        );
        async move {
            for passages in passages {
                embedder.embed(passages).await?;
            }
            anyhow::Ok(())
        }
    });
    let beside = ask(llm, story(texts, 30, 96)).await?.tokens_a_second();
    let still_busy = !busy.is_finished();
    busy.abort();
    anyhow::ensure!(still_busy, "the passages were embedded before the answer was written");
    let again = ask(llm, story(texts, 30, 96)).await?.tokens_a_second();

    let mut query_ms = Vec::new();
    for _ in 0..24 {
        let begun = Instant::now();
        embedder.embed_query(texts.text(18)).await?;
        query_ms.push(super::load::ms(begun.elapsed()));
    }
    let query = super::quantile(&super::sorted(query_ms.clone()), 0.5);
    Ok(vec![
        cost("processor time a passage", "ms", cpu * 1e3 / PASSAGES as f64),
        Measure { unit: "passages/s", ..rate("passages embedded", PASSAGES as f64 / took) },
        share("decode beside embedding, against alone", beside * 2.0 / (alone + again)),
        Measure { samples: query_ms, ..cost("a query's embedding", "ms", query) },
    ])
}

/// Processor seconds that this process took so far, of all its threads.
fn cpu_s() -> anyhow::Result<f64> {
    let stat =
        std::fs::read_to_string("/proc/self/stat").context("processor time is read from /proc")?;
    // The second field is the name in brackets, which may hold anything; user and system time are
    // the 14th and 15th.
    let fields: Vec<&str> =
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = fields.get(11..13).context("/proc/self/stat has too few fields")?;
    let ticks: u64 = ticks.iter().map(|field| field.parse::<u64>()).sum::<Result<_, _>>()?;
    // Linux counts them in hundredths of a second on every platform.
    Ok(ticks as f64 / 100.0)
}
