//! Questions to the API server: HTTP on a connection of its own each, with TLS, bounded in time and
//! in bytes.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1::handshake;
use hyper::header::{ACCEPT, AUTHORIZATION, HOST, USER_AGENT};
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::access::Access;
use super::error::ApiError;
use super::request::Request;
use super::{objects, tls};
use crate::text::escape;

/// The longest that one answer may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// The longest that may pass between two lines of a watch, which ends by itself before.
const SILENCE: Duration = Duration::from_secs(75);
/// How long a watch is asked to last, in seconds.
pub(super) const WATCH_SECONDS: u64 = 60;
/// The largest answer that is read, and the longest line of a watch.
const MAX_BYTES: usize = 16 << 20;
/// The longest text of the API server that a message shows, in bytes.
const MAX_SAID: usize = 300;

/// A client of the API server.
pub(super) struct Client {
    access: Access,
    tls: Option<(TlsConnector, tls::ServerName)>,
}

impl Client {
    pub(super) fn new(access: &Access) -> Result<Self, ApiError> {
        let tls = access.trust.as_ref().map(|trust| tls::connector(access, trust)).transpose()?;
        Ok(Self { access: access.clone(), tls })
    }

    /// The whole answer to a question.
    pub(super) async fn ask(&self, request: &Request) -> Result<Vec<u8>, ApiError> {
        let answer = async {
            let mut answer = self.open(request).await?;
            let mut bytes = Vec::new();
            while let Some(part) = self.next_part(request, &mut answer).await? {
                bytes.extend_from_slice(&part);
                if bytes.len() > MAX_BYTES {
                    return Err(self.answered(request, "the answer is too long"));
                }
            }
            Ok(bytes)
        };
        timeout(PATIENCE, answer).await.map_err(|_| self.timed_out())?
    }

    /// An answer that goes on, line by line.
    pub(super) async fn watch(&self, request: &Request) -> Result<Lines<'_>, ApiError> {
        let answer =
            timeout(PATIENCE, self.open(request)).await.map_err(|_| self.timed_out())??;
        Ok(Lines { client: self, request: request.clone(), answer, rest: Vec::new() })
    }

    async fn open(&self, request: &Request) -> Result<Response<Incoming>, ApiError> {
        let Access { host, port, .. } = &self.access;
        let unreachable = |error: &dyn std::error::Error| self.unreachable(&story(error));
        let stream = TcpStream::connect((host.as_str(), *port))
            .await
            .map_err(|error| unreachable(&error))?;
        let answer = match &self.tls {
            None => self.send(stream, request).await,
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), stream).await;
                self.send(stream.map_err(|error| unreachable(&error))?, request).await
            }
        };
        self.require_ok(request, answer?).await
    }

    async fn send(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        request: &Request,
    ) -> Result<Response<Incoming>, ApiError> {
        let unreachable = |error: hyper::Error| self.unreachable(&story(&error));
        let (mut sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(unreachable)?;
        // It ends with the answer, or when the answer is dropped.
        tokio::spawn(connection);
        let mut sent = hyper::Request::get(format!("{}{}", self.access.prefix, request.path()))
            .header(HOST, self.access.authority())
            .header(USER_AGENT, concat!("tracer/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, request.accept());
        if let Some(token) = self.access.credentials.bearer()? {
            sent = sent.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let sent = sent.body(String::new());
        let sent = sent.map_err(|_| {
            self.unreachable("the token or the address holds a character that is not allowed there")
        })?;
        sender.send_request(sent).await.map_err(unreachable)
    }

    /// Hands on an answer with status 200; every other status is an error.
    async fn require_ok(
        &self,
        request: &Request,
        mut answer: Response<Incoming>,
    ) -> Result<Response<Incoming>, ApiError> {
        let status = answer.status();
        if status == StatusCode::OK {
            return Ok(answer);
        }
        let mut bytes = Vec::new();
        while bytes.len() < MAX_SAID * 8
            && let Ok(Some(part)) = self.next_part(request, &mut answer).await
        {
            bytes.extend_from_slice(&part);
        }
        let mut why = objects::message(&bytes);
        why.truncate(why.floor_char_boundary(MAX_SAID));
        let (server, origin) = (self.access.server(), self.access.origin.clone());
        let (request, why) = (Box::new(request.clone()), String::from(escape(&why)));
        Err(match status {
            StatusCode::UNAUTHORIZED => ApiError::Unauthorized { server, origin, request },
            StatusCode::FORBIDDEN => ApiError::Forbidden { request, why },
            StatusCode::NOT_FOUND => ApiError::NotServed { request },
            StatusCode::GONE => ApiError::Gone,
            _ => ApiError::Answer { server, request, why: format!("{status}: {why}") },
        })
    }

    async fn next_part(
        &self,
        request: &Request,
        answer: &mut Response<Incoming>,
    ) -> Result<Option<Bytes>, ApiError> {
        loop {
            let body = answer.body_mut();
            match poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await {
                None => return Ok(None),
                Some(Err(error)) => return Err(self.answered(request, &story(&error))),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    fn unreachable(&self, why: &str) -> ApiError {
        let (server, origin) = (self.access.server(), self.access.origin.clone());
        ApiError::Unreachable { server, origin, why: escape(why).into() }
    }

    pub(super) fn answered(&self, request: &Request, why: &str) -> ApiError {
        let server = self.access.server();
        ApiError::Answer { server, request: Box::new(request.clone()), why: escape(why).into() }
    }

    fn timed_out(&self) -> ApiError {
        let (server, origin) = (self.access.server(), self.access.origin.clone());
        ApiError::TimedOut { server, origin, seconds: PATIENCE.as_secs() }
    }
}

/// The lines of an answer that goes on.
pub(super) struct Lines<'a> {
    client: &'a Client,
    request: Request,
    answer: Response<Incoming>,
    rest: Vec<u8>,
}

impl Lines<'_> {
    /// The next line; None when there is none any more.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, ApiError> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line = self.rest.drain(..=end).collect();
                return Ok(Some(line));
            }
            if self.rest.len() > MAX_BYTES {
                return Err(self.client.answered(&self.request, "the line is too long"));
            }
            let part = self.client.next_part(&self.request, &mut self.answer);
            match timeout(SILENCE, part).await.map_err(|_| self.client.timed_out())?? {
                Some(part) => self.rest.extend_from_slice(&part),
                None => return Ok(None),
            }
        }
    }
}

/// An error with its causes, on one line.
fn story(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut causes: Vec<String> = causes.map(ToString::to_string).collect();
    causes.dedup();
    causes.join(": ")
}
