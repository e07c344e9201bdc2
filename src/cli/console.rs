//! `squall console`.

#[cfg(feature = "serve")]
mod pages;

use super::{Context, Ended};
use crate::project::serve::Listen;
use crate::units::Span;

#[cfg(feature = "serve")]
pub use self::pages::Counter;

/// Serve the pages of game days and runs to browsers
#[derive(Debug, clap::Args)]
#[command(after_help = "\
It prints a link to the project's pages, and one for the facilitator of the newest day that is not closed. Others are invited with \
`squall gameday invite`. What is asked on a page is taken by the process that leads the day: `squall gameday run`. It has no TLS; \
anywhere but on loopback, put a proxy with TLS before it.

Examples:
  squall console
  squall console --http 8080
  squall console --http 10.0.0.5:7078")]
pub struct Args {
    /// A port of loopback, or an address with its port; 0 takes a free one [default: `serve: listen` in squall.yaml, else 7078]
    #[arg(long, value_name = "PORT|ADDRESS:PORT")]
    http: Option<Listen>,
    /// The printed links and their sessions end after this time
    #[arg(long, value_name = "TIME", default_value = "12h")]
    expires: Span,
}

#[cfg(feature = "serve")]
pub fn execute(args: &Args, context: &mut Context) -> Ended {
    pages::serve(args, context)
}

#[cfg(not(feature = "serve"))]
pub fn execute(_: &Args, _: &mut Context) -> Ended {
    Err(super::Failure::refused("this squall was built without the feature `serve`", "use one that has it"))
}
