//! For tests: an HTTP server on loopback that records the calls and answers as scripted.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

/// What a script answers; `None` is silence.
pub(super) type Answer = Option<Response<Full<Bytes>>>;

/// One request, as it came.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// `RunTask`, `StartSession`, …, the Query API's `Action`, or the path.
    pub(super) operation: String,
    /// The JSON body; null for the Query API.
    pub(super) body: Value,
    /// The Query API's body.
    pub(super) form: String,
    pub(super) authorization: String,
}

#[derive(Clone)]
pub(super) struct Fake {
    pub(super) port: u16,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Fake {
    pub(super) async fn start(
        script: impl Fn(&Call, usize) -> Option<Response<Full<Bytes>>> + Send + Sync + 'static,
    ) -> Self {
        Self::start_tls(None, script).await
    }

    /// The script gets the call and how many of the same operation came before it; its `None` is silence.
    pub(super) async fn start_tls(
        tls: Option<TlsAcceptor>,
        script: impl Fn(&Call, usize) -> Option<Response<Full<Bytes>>> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self {
            port: listener.local_addr().unwrap().port(),
            calls: Arc::default(),
        };
        let (calls, script) = (fake.calls.clone(), Arc::new(script));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (calls, script, tls) = (calls.clone(), script.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, calls, script).await,
                        Some(tls) => {
                            let Ok(stream) = tls.accept(stream).await else {
                                return;
                            };
                            serve(stream, calls, script).await;
                        }
                    }
                });
            }
        });
        fake
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// The JSON bodies of one operation.
    pub(super) fn bodies(&self, operation: &str) -> Vec<Value> {
        self.calls()
            .into_iter()
            .filter(|call| call.operation == operation)
            .map(|call| call.body)
            .collect()
    }
}

async fn serve<S, F>(stream: S, calls: Arc<Mutex<Vec<Call>>>, script: Arc<F>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Fn(&Call, usize) -> Option<Response<Full<Bytes>>> + Send + Sync + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let (calls, script) = (calls.clone(), script.clone());
        async move {
            let call = read(request).await;
            let before = {
                let mut calls = calls.lock().unwrap();
                let before = calls
                    .iter()
                    .filter(|known| known.operation == call.operation)
                    .count();
                calls.push(call.clone());
                before
            };
            match script(&call, before) {
                Some(answer) => Ok::<_, std::convert::Infallible>(answer),
                None => std::future::pending().await,
            }
        }
    });
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn read(request: Request<Incoming>) -> Call {
    let header = |name: &str| {
        let value = request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let (target, authorization) = (header("x-amz-target"), header("authorization"));
    let path = request.uri().path().to_owned();
    let text = request.into_body().collect().await.unwrap().to_bytes();
    let form = String::from_utf8(text.to_vec()).unwrap();
    let action = form
        .split('&')
        .find_map(|pair| pair.strip_prefix("Action="));
    let operation = target
        .rsplit('.')
        .next()
        .filter(|name| !name.is_empty())
        .or(action)
        .unwrap_or(&path);
    let body = serde_json::from_str(&form).unwrap_or_default();
    Call {
        operation: operation.to_owned(),
        body,
        form: form.clone(),
        authorization,
    }
}

/// A good answer.
pub(super) fn ok(body: Value) -> Option<Response<Full<Bytes>>> {
    answer(200, body.to_string())
}

/// An error of the JSON services.
pub(super) fn error(status: u16, code: &str, message: &str) -> Option<Response<Full<Bytes>>> {
    let type_ = format!("com.amazonaws#{code}");
    answer(
        status,
        serde_json::json!({"__type": type_, "message": message}).to_string(),
    )
}

/// An answer of any kind.
pub(super) fn answer(status: u16, body: String) -> Option<Response<Full<Bytes>>> {
    let response = Response::builder()
        .status(status)
        .header("x-amzn-requestid", "req-1");
    Some(response.body(Full::new(Bytes::from(body))).unwrap())
}
