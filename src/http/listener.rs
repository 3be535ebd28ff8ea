//! Connections: how many there are, and how long they may take to say what they want.

use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{ConnectInfo, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
#[cfg(target_os = "linux")]
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep};
use tokio_io_timeout::TimeoutStream;

use crate::lifecycle::Tasks;

/// What one listener allows.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections that speak HTTP at the same time, idle ones too. One that became a socket no
    /// longer counts here.
    pub connections: usize,
    /// For the head of a request, between two pieces of its body, and until the client takes a
    /// piece of a response.
    pub patience: Duration,
}

/// Files that the process needs beside its connections: store, index, log, models, and what
/// commands and threads open.
const OWN_FILES: usize = 128;
/// After an accept that failed: files are short, and looking again at once would only take a
/// processor.
const PAUSE: Duration = Duration::from_millis(200);
/// Bytes that the system buffers for a client before it counts as one that doesn't read. By itself
/// it would take megabytes, and notice as late.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 128 * 1024;
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 2\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Raises the limit of open files as far as the system lets us, and divides it: gives how many
/// visitors' sockets and how many HTTP connections of the public and the admin listener there may
/// be. What was wanted, unless files are short; the log says so then.
#[must_use]
pub fn divide_files(sockets: usize, connections: usize, admin: usize) -> (usize, usize, usize) {
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(u64::MAX);
    let files = usize::try_from(files).unwrap_or(usize::MAX);
    let divided = divide(files, sockets, connections, admin);
    if divided != (sockets, connections, admin) {
        tracing::warn!(
            files,
            sockets = divided.0,
            connections = divided.1,
            admin = divided.2,
            "the process may open too few files for server.max_sockets and server.max_connections, so fewer are let in; raise \
             the hard limit (ulimit -Hn, LimitNOFILE=)"
        );
    }
    divided
}

fn divide(files: usize, sockets: usize, connections: usize, admin: usize) -> (usize, usize, usize) {
    let room = files.saturating_sub(OWN_FILES).max(8);
    if sockets.saturating_add(connections).saturating_add(admin) <= room {
        return (sockets, connections, admin);
    }
    // Operators get in whatever happens outside.
    let admin = admin.min(room / 8).max(1);
    let connections = connections.min(room / 4).max(1);
    (sockets.min(room.saturating_sub(admin + connections)).max(1), connections, admin)
}

/// Serves until the drain, then lets requests under way end. Dropping it drops the connections.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, tasks: Tasks) {
    let router =
        router.layer(from_fn(move |request, next| in_time(limits.patience, request, next)));
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = tasks.draining() => break,
            accepted = listener.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, peer)) => match Arc::clone(&places).try_acquire_owned() {
                Ok(place) => {
                    connections.spawn(connection(
                        stream,
                        peer,
                        router.clone(),
                        limits.patience,
                        place,
                        tasks.clone(),
                    ));
                }
                Err(_) => {
                    // What doesn't go out at once doesn't go out: nobody waits for someone who may
                    // not listen.
                    let _ = stream.try_write(FULL);
                }
            },
            Err(error) => {
                tracing::debug!(%error, "a connection could not be accepted");
                sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// One connection, up to its end or to its becoming a socket.
async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    patience: Duration,
    _place: OwnedSemaphorePermit,
    tasks: Tasks,
) {
    // Small frames would wait up to 40 ms for the other side's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    let _ = SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.call(request)
    });
    // Whoever doesn't read an answer would hold the connection, and what was made for it, for ever.
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(patience));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .serve_connection(TokioIo::new(Box::pin(stream)), service)
        .with_upgrades();
    let mut served = pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = tasks.draining() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "a connection ended early");
    }
}

/// A body that stalls fails like one that breaks off.
async fn in_time(patience: Duration, request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    next.run(request.map(|body| Body::new(Timed { body, patience, wait: None }))).await
}

/// A body whose pieces have a time to come in.
struct Timed {
    body: Body,
    patience: Duration,
    wait: Option<Pin<Box<Sleep>>>,
}

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.wait = None;
            return Poll::Ready(frame);
        }
        let patience = self.patience;
        let wait = self.wait.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(wait.as_mut().poll(cx));
        Poll::Ready(Some(Err(axum::Error::new(std::io::Error::from(std::io::ErrorKind::TimedOut)))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    /// Who makes room for a body asks how long it is.
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_files_are_divided() {
        #[track_caller]
        fn check(files: usize, expected: (usize, usize, usize)) {
            assert_eq!(divide(files, 20_000, 1_024, 64), expected);
        }
        check(usize::MAX, (20_000, 1_024, 64));
        check(1_048_576, (20_000, 1_024, 64));
        check(21_088 + OWN_FILES, (20_000, 1_024, 64));
        check(1_024, (608, 224, 64));
        check(200, (45, 18, 9));
        check(0, (5, 2, 1));
    }
}
