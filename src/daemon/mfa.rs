//! Which account a code of an MFA device is for.

use std::time::{Duration, SystemTime};

use super::Daemon;
use super::accounts::Accounts;
use crate::aws::Aws;
use crate::control::MfaCode;
use crate::status::{Problem, Reason};

impl Accounts {
    /// The account of the bastion that is named, else the only one that waits for a code.
    pub(super) fn for_mfa(&self, bastion: Option<&str>) -> Result<Aws, Problem> {
        let waiting: Vec<&Aws> = match bastion {
            Some(name) => vec![&self.of_bastion(name).aws],
            None => self.all().map(|account| &account.aws).collect(),
        };
        let mut waiting = waiting.into_iter().filter(|aws| aws.wants_mfa_code());
        match (waiting.next(), waiting.next()) {
            (Some(aws), None) => Ok(aws.clone()),
            (None, _) => Err(problem(Reason::new(
                "mfa_not_wanted",
                "nobody waits for an MFA code",
            ))),
            (Some(_), Some(_)) => Err(problem(
                Reason::new("mfa_ambiguous", "several accounts wait for an MFA code").with_hint(
                    "name a bastion of the account: bastiond ctl mfa CODE --bastion NAME",
                ),
            )),
        }
    }
}

impl Daemon {
    /// Assumes the role with the code; whoever waits for it goes on.
    pub(super) fn give_mfa_code(
        &mut self,
        bastion: Option<&str>,
        code: MfaCode,
        reply: tokio::sync::oneshot::Sender<Result<(), Problem>>,
    ) {
        let aws = match self.accounts.for_mfa(bastion) {
            Ok(aws) => aws,
            Err(problem) => return drop(reply.send(Err(problem))),
        };
        self.holds.spawn(async move {
            let given = aws.give_mfa_code(code.into_digits()).await;
            let _ = reply.send(given.map_err(|error| problem(error.into())));
        });
    }
}

fn problem(reason: Reason) -> Problem {
    Problem::new("aws", reason, SystemTime::now(), Duration::ZERO)
}
