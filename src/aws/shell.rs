//! The calls that only shells need: ExecuteCommand, StartSession by any document, and data keys of KMS.

use std::collections::BTreeMap;
use std::fmt;

use aws_sdk_kms::primitives::Blob;

use super::{Aws, Desired, Opened, SessionId, Task, error::Error, ssm::one_line};
use crate::proto::shell::cipher::KEY_LENGTH;

/// A data key: as it is, and as only KMS can read it.
pub struct DataKey {
    /// The key. It never leaves this process.
    pub plain: [u8; KEY_LENGTH],
    /// The same for whoever may ask KMS to decrypt it.
    pub encrypted: Vec<u8>,
}

/// Keys are secret.
impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey")
    }
}

impl Aws {
    /// Starts `command` on a terminal in a container; the only one, if none is named. ECS splits the command as a shell
    /// would, and runs it without one. Never repeated by itself, since each call may leave a session behind.
    pub async fn execute_command(
        &self,
        cluster: &str,
        task: &str,
        container: Option<&str>,
        command: &str,
    ) -> Result<Opened, Error> {
        let request = self
            .ecs()
            .execute_command()
            .cluster(cluster)
            .task(task)
            .set_container(container.map(str::to_owned))
            .command(command)
            .interactive(true);
        let reply = self
            .call("ExecuteCommand", || {
                let once = aws_sdk_ecs::config::Builder::new()
                    .retry_config(aws_sdk_ecs::config::retry::RetryConfig::disabled());
                request.clone().customize().config_override(once).send()
            })
            .await?;
        let (id, url, token) = match reply.session {
            Some(session) => (session.session_id, session.stream_url, session.token_value),
            None => (None, None, None),
        };
        let id = SessionId::new(id.unwrap_or_default());
        let opened = self.opened("ExecuteCommand", &id, token, url);
        if !matches!(opened, Ok(Some(_))) && !id.as_str().is_empty() {
            // Nobody will ever connect to it; the error that made it useless is the one to tell.
            let _ = self.terminate_session(&id).await;
        }
        let none = || self.untrusted("ExecuteCommand", "the answer has no token".to_owned());
        opened?.ok_or_else(none)
    }

    /// The tasks in a cluster that have an agent, or will have one.
    pub async fn tasks_with_agents(&self, cluster: &str) -> Result<Vec<Task>, Error> {
        let arns = self.list_tasks(cluster, None, Desired::Running).await?;
        if arns.is_empty() {
            return Ok(Vec::new());
        }
        let mut tasks = self.describe_tasks(cluster, &arns).await?;
        tasks.retain(|task| task.enable_execute_command && task.desired_status == "RUNNING");
        Ok(tasks)
    }

    /// Starts a session on an instance by `document`, or the shell of the account's preferences. As careful as
    /// [`Aws::start_session`].
    pub async fn start_document(
        &self,
        target: &str,
        document: Option<&str>,
        parameters: &BTreeMap<String, Vec<String>>,
        reason: &str,
    ) -> Result<Opened, Error> {
        let mut request = self
            .ssm()
            .start_session()
            .target(target)
            .set_document_name(document.map(str::to_owned))
            .set_reason(one_line(reason));
        for (name, values) in parameters {
            request = request.parameters(name, values.clone());
        }
        self.begin(request).await
    }

    /// A new data key under the KMS key `key_id`, good for `context` alone.
    pub async fn data_key(
        &self,
        key_id: &str,
        context: &BTreeMap<String, String>,
    ) -> Result<DataKey, Error> {
        let length = i32::try_from(KEY_LENGTH).expect("a small number");
        let mut request = self
            .kms()
            .generate_data_key()
            .key_id(key_id)
            .number_of_bytes(length);
        for (name, value) in context {
            request = request.encryption_context(name, value);
        }
        let reply = self
            .call("GenerateDataKey", || request.clone().send())
            .await?;
        let plain = reply.plaintext.map(Blob::into_inner).unwrap_or_default();
        let encrypted = reply.ciphertext_blob.map(Blob::into_inner);
        match (plain.try_into(), encrypted) {
            (Ok(plain), Some(encrypted)) => Ok(DataKey { plain, encrypted }),
            _ => {
                let message = format!("the answer has no key of {KEY_LENGTH} bytes");
                Err(self.untrusted("GenerateDataKey", message))
            }
        }
    }
}
