//! Messages as they come, as server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).
//!
//! A feed begins with an id and no data, so that a reader knows from the start where to resume; it says something at least every
//! 15 seconds, so that a reader can tell silence from a dead connection.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use axum::response::Response;
use hyper::body::{Bytes, Frame};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::App;
use super::reply::{Refusal, usual};
use crate::units::Span;

/// Something that goes on, and says what has come since it was last asked.
pub trait Feed: Send {
    /// Where it is: the id of the last message that was given, or of the one before the first.
    fn at(&self) -> String;

    /// What has come since. May wait for the store.
    fn next(&mut self, app: &App) -> Result<Vec<Message>, Refusal>;

    /// Whether nothing comes any more.
    fn is_over(&self) -> bool;

    /// How often it is asked.
    fn look(&self) -> Span {
        LOOK
    }
}

/// One message of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// From here a reader resumes.
    pub id: String,
    /// What kind of message it is, in one word.
    pub event: &'static str,
    /// One line.
    pub data: String,
}

/// How often a feed is asked.
const LOOK: Span = Span::from_millis(500);
/// Nothing is silent for longer.
const HEARTBEAT: Span = Span::from_secs(15);
/// Frames that wait for a slow reader.
const WAITING: usize = 16;
/// A reader that takes in nothing for so long is dropped.
const STALL: Span = Span::from_secs(10);

/// A feed as a response.
pub fn response(app: Arc<App>, feed: Box<dyn Feed>) -> Result<Response, Refusal> {
    let Ok(place) = Arc::clone(&app.feeds).try_acquire_owned() else {
        return Err(Refusal::new(503, "too many feeds are open").next("try again later"));
    };
    let (sender, frames) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        follow(app, feed, &sender).await;
        drop(place);
    });
    let mut response = Response::new(Body::new(Frames(frames)));
    usual(response.headers_mut());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // Proxies such as nginx would keep messages back.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// Until it is over, or the reader is gone.
async fn follow(app: Arc<App>, mut feed: Box<dyn Feed>, to: &mpsc::Sender<Bytes>) {
    if !send(to, format!("retry: 3000\nid: {}\ndata:\n\n", feed.at())).await {
        return;
    }
    let mut silent = Span::ZERO;
    loop {
        let working = Arc::clone(&app);
        let asked = tokio::task::spawn_blocking(move || {
            let came = feed.next(&working);
            (feed, came)
        });
        let Ok((asked, came)) = asked.await else { return };
        feed = asked;
        let look = feed.look();
        let messages = match came {
            Ok(messages) => messages,
            Err(refusal) => {
                let data = serde_json::json!({ "error": refusal.what });
                send(to, format!("event: error\ndata: {data}\n\n")).await;
                return;
            }
        };
        for Message { id, event, data } in &messages {
            silent = Span::ZERO;
            if !send(to, format!("id: {id}\nevent: {event}\ndata: {data}\n\n")).await {
                return;
            }
        }
        if feed.is_over() {
            send(to, "event: end\ndata:\n\n".to_owned()).await;
            return;
        }
        if silent >= HEARTBEAT {
            silent = Span::ZERO;
            if !send(to, ": heartbeat\n\n".to_owned()).await {
                return;
            }
        }
        if !messages.is_empty() {
            continue;
        }
        tokio::select! {
            () = sleep(look.to_std()) => silent = silent + look,
            () = to.closed() => return,
        }
    }
}

/// Whether the other side took it.
async fn send(to: &mpsc::Sender<Bytes>, text: String) -> bool {
    matches!(timeout(STALL.to_std(), to.send(text.into())).await, Ok(Ok(())))
}

/// A body that is what comes through a channel.
struct Frames(mpsc::Receiver<Bytes>);

impl HttpBody for Frames {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}
