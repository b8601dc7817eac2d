//! The HTTP client of all tests. It holds every answer against the reference: see
//! [`crate::described`].

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::multipart::Form;
use reqwest::{Body, Error, Method, StatusCode};
use serde::Serialize;

use crate::described::Described;

/// A request that is being made.
#[derive(Debug)]
pub(crate) struct RequestBuilder(reqwest::RequestBuilder);

impl RequestBuilder {
    pub(crate) fn new(client: &reqwest::Client, method: Method, url: String) -> Self {
        Self(client.request(method, url))
    }

    pub(crate) fn header<N, V>(self, name: N, value: V) -> Self
    where
        HeaderName: TryFrom<N>,
        <HeaderName as TryFrom<N>>::Error: Into<axum::http::Error>,
        HeaderValue: TryFrom<V>,
        <HeaderValue as TryFrom<V>>::Error: Into<axum::http::Error>,
    {
        Self(self.0.header(name, value))
    }

    pub(crate) fn json<T: Serialize + ?Sized>(self, body: &T) -> Self {
        Self(self.0.json(body))
    }

    pub(crate) fn body(self, body: impl Into<Body>) -> Self {
        Self(self.0.body(body))
    }

    pub(crate) fn multipart(self, form: Form) -> Self {
        Self(self.0.multipart(form))
    }

    /// Sends it. The head of the answer is as the reference describes it, or the test fails.
    pub(crate) async fn send(self) -> Result<Response, Error> {
        let (client, request) = self.0.build_split();
        let request = request?;
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let inner = client.execute(request).await?;
        let described = Described::of(&method, &path, inner.status().as_u16(), inner.headers());
        Ok(Response { inner, described: described.unwrap_or_else(|wrong| panic!("{wrong}")) })
    }
}

/// An answer whose body has not been read.
#[derive(Debug)]
pub(crate) struct Response {
    inner: reqwest::Response,
    described: Described,
}

impl Response {
    pub(crate) fn status(&self) -> StatusCode {
        self.inner.status()
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.inner.headers()
    }

    /// What the reference says of the body.
    pub(crate) fn described(&self) -> &Described {
        &self.described
    }

    /// The next part of a body that is read while it comes.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.inner.chunk().await?.map(Into::into))
    }

    /// The body, read whole. It is as the reference describes it, or the test fails.
    pub(crate) async fn text(self) -> Result<String, Error> {
        let text = self.inner.text().await?;
        if let Err(wrong) = self.described.body(&text) {
            panic!("{wrong}\n{text}");
        }
        Ok(text)
    }
}
