//! HTTP on a Unix socket with a limit on each answer: the owner of a socket may send without end.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};

use bollard::BollardRequest;
use bollard::errors::Error;
use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use hyper::client::conn::http1::handshake;
use hyper::header::{HOST, HeaderValue};
use hyper::{Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;

/// Sends each request on a connection of its own, of which at most so many bytes are read. With a
/// `user`, only to a socket on which a process of that user listens.
pub(super) fn transport(
    socket: PathBuf,
    bytes: u64,
    user: Option<u32>,
) -> impl Fn(BollardRequest) -> BoxFuture<'static, Result<Response<Incoming>, Error>> + Send + Sync
{
    move |request| Box::pin(send(socket.clone(), bytes, user, request))
}

async fn send(
    socket: PathBuf,
    bytes: u64,
    user: Option<u32>,
    mut request: BollardRequest,
) -> Result<Response<Incoming>, Error> {
    let stream = UnixStream::connect(socket).await?;
    let server = stream.peer_cred()?.uid();
    if user.is_some_and(|user| user != server) {
        return Err(io::Error::other(format!("the socket is served by user {server}")).into());
    }
    let stream = TokioIo::new(Bounded { stream, left: bytes });
    let (mut sender, connection) = handshake(stream).await?;
    // It ends with the answer, or when the answer is dropped.
    tokio::spawn(connection);
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map(Uri::from).unwrap_or_default();
    request.headers_mut().insert(HOST, HeaderValue::from_static("localhost"));
    Ok(sender.send_request(request).await?)
}

/// A stream that fails once so many bytes were read.
struct Bounded {
    stream: UnixStream,
    left: u64,
}

impl AsyncRead for Bounded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let ready = Pin::new(&mut self.stream).poll_read(context, buffer);
        let read = (buffer.filled().len() - before) as u64;
        match self.left.checked_sub(read) {
            Some(left) => self.left = left,
            None => return Poll::Ready(Err(io::Error::other("the answer is too long"))),
        }
        ready
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
