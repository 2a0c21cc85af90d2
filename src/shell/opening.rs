//! What a shell is opened on, and by which call.

use std::collections::BTreeMap;

use crate::aws::{Aws, Error, Opened};

/// How a session is started.
#[derive(Clone, Debug)]
pub enum Opening {
    /// By ExecuteCommand of ECS.
    Exec {
        /// The cluster's name or ARN.
        cluster: String,
        /// The task's id or ARN.
        task: String,
        /// The container; the only one, if none is named.
        container: Option<String>,
        /// The command line.
        command: String,
        /// What the agent in the container calls itself.
        target: String,
    },
    /// By StartSession of SSM.
    Document {
        /// The instance or node.
        target: String,
        /// The document; the shell of the account's preferences, if none is named.
        document: Option<String>,
        /// Its parameters, each a list of one.
        parameters: BTreeMap<String, Vec<String>>,
    },
}

impl Opening {
    /// Make the call.
    pub async fn open(&self, aws: &Aws, reason: &str) -> Result<Opened, Error> {
        match self {
            Self::Exec {
                cluster,
                task,
                container,
                command,
                target: _,
            } => {
                aws.execute_command(cluster, task, container.as_deref(), command)
                    .await
            }
            Self::Document {
                target,
                document,
                parameters,
            } => {
                aws.start_document(target, document.as_deref(), parameters, reason)
                    .await
            }
        }
    }

    /// What the agent calls itself: encrypted sessions are bound to it.
    pub fn target(&self) -> &str {
        match self {
            Self::Exec { target, .. } | Self::Document { target, .. } => target,
        }
    }
}
