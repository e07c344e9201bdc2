//! The listener: a thread of its own, so many connections, and none that is waited for for long.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Sleep, sleep};

use super::route::{Route, router};
use super::{App, Backend, Doors};
use crate::env::Env;
use crate::units::Span;

/// What the listener takes on.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time; more are closed at once.
    pub connections: usize,
    /// Feeds at a time.
    pub feeds: usize,
    /// A request's head that takes longer ends the connection.
    pub head: Span,
    /// A connection that takes in nothing for so long is ended.
    pub stall: Span,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { connections: 1_024, feeds: 256, head: Span::from_secs(10), stall: Span::from_secs(10) }
    }
}

impl Limits {
    /// With at most half of the files that the process may open, of which runs and the store need the rest.
    #[must_use]
    pub fn within_open_files(self) -> Limits {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let half = limit.map_or(usize::MAX, |files| usize::try_from(files / 2).unwrap_or(usize::MAX));
        Limits { connections: self.connections.min(half), ..self }
    }
}

/// The address of the other side.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// A server that listens. It ends with the process.
#[derive(Debug)]
pub struct Listening {
    /// With the port that was taken, where any was asked for.
    pub address: SocketAddr,
}

/// So many threads for what waits for the store.
const WORKERS: usize = 16;

/// Begins to listen. Fails when the address cannot be had.
pub fn listen(
    address: SocketAddr,
    backend: Arc<dyn Backend>,
    env: Arc<dyn Env>,
    doors: Doors,
    limits: Limits,
    routes: Vec<Route>,
) -> io::Result<Listening> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(WORKERS).build()?;
    let app = Arc::new(App::new(backend, env, doors, address, limits.feeds, &routes));
    let router = router(&app, routes);
    let listener = {
        let _entered = runtime.enter();
        TcpListener::from_std(listener)?
    };
    std::thread::Builder::new()
        .name("http".into())
        .spawn(move || runtime.block_on(accept(listener, router, limits)))?;
    Ok(Listening { address })
}

async fn accept(listener: TcpListener, router: Router, limits: Limits) {
    let free = Arc::new(Semaphore::new(limits.connections));
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Out of files, most likely. Those that are open end by themselves.
            sleep(std::time::Duration::from_millis(100)).await;
            continue;
        };
        // Dropped where there are too many: the other side may try again.
        let Ok(place) = Arc::clone(&free).try_acquire_owned() else { continue };
        let router = router.clone();
        tokio::spawn(async move {
            serve(stream, peer.ip(), router, limits).await;
            drop(place);
        });
    }
}

async fn serve(stream: TcpStream, peer: IpAddr, router: Router, limits: Limits) {
    let inner = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        // IPv4 on a socket of IPv6 is still that address.
        request.extensions_mut().insert(Peer(peer.to_canonical()));
        inner.call(request)
    });
    // Without this a small answer waits for the other side's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let stream = TokioIo::new(Patient { stream, patience: limits.stall, stalled: None });
    // How a connection ends matters to the other side alone.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head.to_std())
        .max_buf_size(64 * 1024)
        .serve_connection(stream, service)
        .await;
}

/// A stream that gives up when the other side takes nothing in for so long.
struct Patient {
    stream: TcpStream,
    patience: Span,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    /// Pending for as long as there is patience.
    fn wait<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        let patience = self.patience.to_std();
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Patient {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(context, bytes) {
            Poll::Pending => self.wait(context),
            written => {
                self.stalled = None;
                written
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
