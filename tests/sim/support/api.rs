//! AWS calls as bytes: what any SDK sends, and nothing more.

use bastiond::sim::Sim;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

/// The API of one simulator.
pub struct Api(String);

/// An answer: status and body.
pub struct Answer {
    pub status: StatusCode,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }

    /// The error's code.
    pub fn code(&self) -> String {
        assert_ne!(self.status, StatusCode::OK, "{}", self.body);
        self.json()["__type"].as_str().expect("an error").to_owned()
    }
}

impl Api {
    pub fn of(sim: &Sim) -> Self {
        Self(
            sim.endpoint()
                .strip_prefix("http://")
                .expect("an http endpoint")
                .to_owned(),
        )
    }

    /// A call that must succeed.
    pub async fn ecs(&self, operation: &str, body: Value) -> Value {
        ok(self.try_ecs(operation, body).await)
    }

    /// A call that must succeed.
    pub async fn ssm(&self, operation: &str, body: Value) -> Value {
        ok(self.try_ssm(operation, body).await)
    }

    pub async fn try_ecs(&self, operation: &str, body: Value) -> Answer {
        let target = format!("AmazonEC2ContainerServiceV20141113.{operation}");
        self.call(Some(&target), "ecs", body.to_string())
            .await
            .expect("an answer")
    }

    pub async fn try_ssm(&self, operation: &str, body: Value) -> Answer {
        let target = format!("AmazonSSM.{operation}");
        self.call(Some(&target), "ssm", body.to_string())
            .await
            .expect("an answer")
    }

    /// Any call. An error is a connection that broke.
    pub async fn call(
        &self,
        target: Option<&str>,
        signed_for: &str,
        body: String,
    ) -> hyper::Result<Answer> {
        let stream = TcpStream::connect(&self.0)
            .await
            .expect("the simulator listens");
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let mut request = Request::post("/").header("host", &self.0);
        if let Some(target) = target {
            request = request
                .header("x-amz-target", target)
                .header("content-type", "application/x-amz-json-1.1");
        }
        if !signed_for.is_empty() {
            let scope = format!("AKIASIMULATED/20260101/ap-northeast-1/{signed_for}/aws4_request");
            let value =
                format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00");
            request = request.header("authorization", value);
        }
        let request = request
            .body(Full::new(Bytes::from(body)))
            .expect("a request");
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        connection.abort();
        Ok(Answer {
            status,
            body: String::from_utf8(body.to_vec()).expect("text"),
        })
    }

    /// Runs a task with this client token and these further parameters.
    pub async fn run_task(&self, token: &str, more: Value) -> Answer {
        let mut body = json!({
            "cluster": "backend",
            "taskDefinition": "bastion",
            "launchType": "FARGATE",
            "enableExecuteCommand": true,
            "clientToken": token,
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}},
        });
        for (key, value) in more.as_object().expect("an object") {
            body[key] = value.clone();
        }
        self.try_ecs("RunTask", body).await
    }

    /// Runs a task and gives its ARN.
    pub async fn task(&self, token: &str) -> String {
        let answer = ok(self.run_task(token, json!({})).await);
        text(&answer["tasks"][0]["taskArn"])
    }

    pub async fn describe(&self, arn: &str) -> Value {
        let body = json!({"cluster": "backend", "tasks": [arn], "include": ["TAGS"]});
        self.ecs("DescribeTasks", body).await
    }

    /// ARNs that ListTasks gives with these parameters.
    pub async fn list(&self, more: Value) -> Vec<String> {
        let mut body = json!({"cluster": "backend"});
        for (key, value) in more.as_object().expect("an object") {
            body[key] = value.clone();
        }
        let answer = self.ecs("ListTasks", body).await;
        answer["taskArns"]
            .as_array()
            .expect("a list")
            .iter()
            .map(text)
            .collect()
    }

    /// Waits until a session can be started on the task, and gives the target.
    pub async fn target(&self, arn: &str) -> String {
        loop {
            let answer = self.describe(arn).await;
            let task = &answer["tasks"][0];
            if let Some(runtime) = task["containers"][0]["runtimeId"].as_str() {
                let id = arn.rsplit('/').next().expect("an id");
                let target = format!("ecs:backend_{id}_{runtime}");
                let status = self
                    .ssm("GetConnectionStatus", json!({"Target": target}))
                    .await;
                if status["Status"] == "connected" {
                    return target;
                }
            }
            tokio::task::yield_now().await;
        }
    }

    /// Starts a session to `host:5432` on a target.
    pub async fn start_session(&self, target: &str, host: &str) -> Value {
        let body = json!({
            "Target": target,
            "DocumentName": "AWS-StartPortForwardingSessionToRemoteHost",
            "Parameters": {"host": [host], "portNumber": ["5432"], "localPortNumber": ["0"]},
        });
        self.ssm("StartSession", body).await
    }

    pub async fn resume(&self, session: &str) -> Value {
        self.ssm("ResumeSession", json!({"SessionId": session}))
            .await
    }
}

/// A JSON string's text.
pub fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

fn ok(answer: Answer) -> Value {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.json()
}
