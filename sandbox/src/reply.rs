//! The body of an answer, as it comes from a network: whole, or broken off. It knows nothing of what is
//! in it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// A body that comes as one frame, as it comes from a network, or half of one and then an error.
#[derive(Debug)]
pub(crate) struct Reply {
    data: Bytes,
    whole: bool,
    /// Frames given so far.
    step: u8,
}

impl Reply {
    pub(crate) fn new(data: Bytes, whole: bool) -> Reply {
        let data = if whole { data } else { data.slice(..data.len() / 2) };
        Reply { data, whole, step: 0 }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.step = self.step.saturating_add(1);
        match self.step {
            1 if !self.data.is_empty() => {
                let data = std::mem::take(&mut self.data);
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            _ if self.whole => Poll::Ready(None),
            // The first half goes out before the connection breaks.
            1 | 2 => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            _ => Poll::Ready(Some(Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the connection was closed before the body was complete",
            )))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.whole && self.data.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        match self.whole {
            true => SizeHint::with_exact(self.data.len() as u64),
            false => SizeHint::default(),
        }
    }
}
