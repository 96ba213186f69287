//! A client with one method per question the service answers.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use reqwest::{
    Method,
    header::{HeaderMap, HeaderName, HeaderValue},
    redirect::Policy,
};
use serde_json::{Value, json};

use crate::harness::Reply;

const PATIENCE: Duration = Duration::from_secs(90);

/// Speaks to one instance; cheap to clone, follows no redirects.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    address: SocketAddr,
}

/// A request that is not sent yet.
#[must_use]
pub(crate) struct Call {
    client: Client,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Option<Vec<u8>>,
}

impl Call {
    /// Adds a header field; a name given twice is sent twice.
    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.append(
            HeaderName::from_bytes(name.as_bytes()).expect("tests spell header names correctly"),
            HeaderValue::from_bytes(value.as_ref()).expect("tests use legal header values"),
        );
        self
    }

    /// Sends this document with its content type.
    pub(crate) fn json(self, body: &Value) -> Self {
        self.bytes(body.to_string())
            .header("content-type", "application/json")
    }

    /// Sends these bytes without a content type.
    pub(crate) fn bytes(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sends the request and reads the whole answer; fails when there is none.
    pub(crate) async fn send(self) -> Reply {
        let request = format!("{} {}", self.method, self.path);
        match self.try_send().await {
            Ok(reply) => reply,
            Err(error) => panic!("{request}: no answer: {error:?}"),
        }
    }

    /// Sends the request; the error is one of the connection, never of the service.
    pub(crate) async fn try_send(self) -> Result<Reply, reqwest::Error> {
        let url = format!("http://{}{}", self.client.address, self.path);
        let mut request = self
            .client
            .http
            .request(self.method.clone(), url)
            .headers(self.headers);
        if let Some(body) = self.body {
            request = request.body(body);
        }
        let response = request.send().await?;
        Ok(Reply {
            request: format!("{} {}", self.method, self.path),
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.bytes().await?.to_vec(),
        })
    }
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self::built(address, reqwest::Client::builder())
    }

    /// A client with an address of its own, such as 127.0.0.2.
    pub(crate) fn from(own: IpAddr, address: SocketAddr) -> Self {
        Self::built(address, reqwest::Client::builder().local_address(own))
    }

    fn built(address: SocketAddr, builder: reqwest::ClientBuilder) -> Self {
        let http = builder
            .redirect(Policy::none())
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .expect("a client without TLS always builds");
        Self { http, address }
    }

    /// Where the instance listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Any request at all.
    pub(crate) fn call(&self, method: &str, path: impl Into<String>) -> Call {
        Call {
            client: self.clone(),
            method: Method::from_bytes(method.as_bytes()).expect("tests use legal methods"),
            path: path.into(),
            headers: HeaderMap::new(),
            body: None,
        }
    }

    pub(crate) async fn get(&self, path: impl Into<String>) -> Reply {
        self.call("GET", path).send().await
    }

    pub(crate) async fn delete(&self, path: impl Into<String>) -> Reply {
        self.call("DELETE", path).send().await
    }

    pub(crate) async fn post(&self, path: impl Into<String>, body: &Value) -> Reply {
        self.call("POST", path).json(body).send().await
    }

    /// Posts text that claims to be JSON, well-formed or not.
    pub(crate) async fn post_text(
        &self,
        path: impl Into<String>,
        text: impl Into<Vec<u8>>,
    ) -> Reply {
        self.call("POST", path)
            .bytes(text)
            .header("content-type", "application/json")
            .send()
            .await
    }

    pub(crate) async fn put(&self, path: impl Into<String>, body: &Value) -> Reply {
        self.call("PUT", path).json(body).send().await
    }

    pub(crate) async fn patch(&self, path: impl Into<String>, body: &Value) -> Reply {
        self.call("PATCH", path).json(body).send().await
    }

    // --- the service itself

    pub(crate) async fn health(&self) -> Reply {
        self.get("/health").await
    }

    pub(crate) async fn ready(&self) -> Reply {
        self.get("/ready").await
    }

    // --- simulations

    pub(crate) async fn create_simulation(&self, request: &Value) -> Reply {
        self.post("/simulations", request).await
    }

    /// Creates a simulation that must succeed, and returns its id.
    pub(crate) async fn simulation(&self, request: &Value) -> String {
        let created = self.create_simulation(request).await.expect_status(201);
        created.json()["sim_id"]
            .as_str()
            .expect("a created simulation has an id")
            .to_owned()
    }

    pub(crate) async fn describe(&self, sim: &str) -> Reply {
        self.get(format!("/simulations/{sim}")).await
    }

    /// Lists simulations; `query` is the part after the question mark.
    pub(crate) async fn list(&self, query: &str) -> Reply {
        self.get(format!("/simulations?{query}")).await
    }

    pub(crate) async fn patch_simulation(&self, sim: &str, patch: &Value) -> Reply {
        self.patch(format!("/simulations/{sim}"), patch).await
    }

    pub(crate) async fn keepalive(&self, sim: &str) -> Reply {
        self.call("POST", format!("/simulations/{sim}/keepalive"))
            .send()
            .await
    }

    pub(crate) async fn destroy(&self, sim: &str) -> Reply {
        self.delete(format!("/simulations/{sim}")).await
    }

    // --- bodies

    /// Adds a body, or an array of them.
    pub(crate) async fn add_body(&self, sim: &str, body: &Value) -> Reply {
        self.post(format!("/simulations/{sim}/bodies"), body).await
    }

    pub(crate) async fn bodies(&self, sim: &str) -> Reply {
        self.get(format!("/simulations/{sim}/bodies")).await
    }

    pub(crate) async fn body(&self, sim: &str, body: &str) -> Reply {
        self.get(format!("/simulations/{sim}/bodies/{body}")).await
    }

    pub(crate) async fn patch_body(&self, sim: &str, body: &str, patch: &Value) -> Reply {
        self.patch(format!("/simulations/{sim}/bodies/{body}"), patch)
            .await
    }

    pub(crate) async fn remove_body(&self, sim: &str, body: &str) -> Reply {
        self.delete(format!("/simulations/{sim}/bodies/{body}"))
            .await
    }

    pub(crate) async fn impulse(&self, sim: &str, body: &str, request: &Value) -> Reply {
        self.post(format!("/simulations/{sim}/bodies/{body}/impulse"), request)
            .await
    }

    pub(crate) async fn set_force(&self, sim: &str, body: &str, request: &Value) -> Reply {
        self.put(format!("/simulations/{sim}/bodies/{body}/force"), request)
            .await
    }

    pub(crate) async fn clear_force(&self, sim: &str, body: &str) -> Reply {
        self.delete(format!("/simulations/{sim}/bodies/{body}/force"))
            .await
    }

    // --- joints

    /// Adds a joint, or an array of them.
    pub(crate) async fn add_joint(&self, sim: &str, joint: &Value) -> Reply {
        self.post(format!("/simulations/{sim}/joints"), joint).await
    }

    pub(crate) async fn joints(&self, sim: &str) -> Reply {
        self.get(format!("/simulations/{sim}/joints")).await
    }

    pub(crate) async fn joint(&self, sim: &str, joint: &str) -> Reply {
        self.get(format!("/simulations/{sim}/joints/{joint}")).await
    }

    pub(crate) async fn patch_joint(&self, sim: &str, joint: &str, patch: &Value) -> Reply {
        self.patch(format!("/simulations/{sim}/joints/{joint}"), patch)
            .await
    }

    pub(crate) async fn remove_joint(&self, sim: &str, joint: &str) -> Reply {
        self.delete(format!("/simulations/{sim}/joints/{joint}"))
            .await
    }

    // --- time

    pub(crate) async fn step(&self, sim: &str, steps: u32) -> Reply {
        self.step_with(sim, &json!({ "steps": steps })).await
    }

    pub(crate) async fn step_with(&self, sim: &str, request: &Value) -> Reply {
        self.post(format!("/simulations/{sim}/step"), request).await
    }

    pub(crate) async fn state(&self, sim: &str) -> Reply {
        self.get(format!("/simulations/{sim}/state")).await
    }

    pub(crate) async fn trajectory(&self, sim: &str, body: &str, request: &Value) -> Reply {
        self.post(
            format!("/simulations/{sim}/bodies/{body}/trajectory"),
            request,
        )
        .await
    }
}
