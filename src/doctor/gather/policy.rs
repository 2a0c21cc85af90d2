//! What policies allow, as IAM simulates it: for us, for the task, for what starts it.

use super::Gatherer;
use crate::aws::{Aws, Definition, Identity, Question, Role, Simulated};
use crate::config;
use crate::doctor::check::{Gap, Known};
use crate::doctor::facts::Policies;
use crate::doctor::ways;

const SIMULATE: &str = "iam:SimulatePrincipalPolicy";
/// A task and a session that do not exist: policies name them by patterns.
const TASK: &str = "0123456789abcdef0123456789abcdef";
const CHANNELS: [&str; 4] = [
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
];

/// Asks for it, with the `definition` at hand.
pub async fn policies(
    gatherer: &Gatherer,
    config: &config::Bastion,
    aws: &Aws,
    identity: &Identity,
    documents: &[String],
    definition: &Known<Option<Definition>>,
) -> Policies {
    let definition = match definition {
        Err(gap) => return Policies::unknown(gap),
        Ok(None) => return Policies::unknown(&Gap::Needs("the task definition (T02)")),
        Ok(Some(definition)) => definition,
    };
    let asker = Asker {
        gatherer,
        aws,
        config,
        identity,
        documents,
        definition,
    };
    let (operator, task_role, task_role_may, execution_role_may) = tokio::join!(
        asker.operator(),
        asker.task_role(),
        asker.task_role_may(),
        asker.execution_role_may()
    );
    Policies {
        operator,
        task_role,
        task_role_may,
        execution_role_may,
    }
}

struct Asker<'a> {
    gatherer: &'a Gatherer,
    aws: &'a Aws,
    config: &'a config::Bastion,
    identity: &'a Identity,
    /// The session documents of the tunnels that go through it.
    documents: &'a [String],
    definition: &'a Definition,
}

impl Asker<'_> {
    async fn operator(&self) -> Known<Vec<Simulated>> {
        if !self.gatherer.wants(&["I01", "I04", "I05"]) {
            return Err(Gap::Unasked);
        }
        let principal = self.principal().await?;
        let mut all = Vec::new();
        for question in self.questions() {
            let asked = self.aws.simulate(&principal, &question);
            all.extend(self.gatherer.ask(SIMULATE, asked).await?);
        }
        Ok(all)
    }

    /// The user, or the role behind the session, whose ARN has a path that the session's has not.
    async fn principal(&self) -> Known<String> {
        let arn = &self.identity.arn;
        if arn.contains(":user/") {
            return Ok(arn.clone());
        }
        let name = arn.split_once(":assumed-role/").map(|(_, rest)| rest);
        let name = name.and_then(|rest| rest.split('/').next());
        let Some(name) = name else {
            return Err(Gap::Needs(
                "a user or a role: the account's root is not simulated",
            ));
        };
        let role = self
            .gatherer
            .ask("iam:GetRole", self.aws.role(name))
            .await?;
        role.map(|role| role.arn)
            .ok_or(Gap::Needs("our role, which IAM does not know"))
    }

    /// Each under the circumstances of a tunnel: policies ask for them.
    fn questions(&self) -> Vec<Question> {
        let mut questions = self.of_tasks();
        questions.extend(self.of_sessions());
        for question in &mut questions {
            let id = self.identity.user_id.clone();
            question.context.push(("aws:userid", "string", id));
        }
        questions
    }

    fn of_tasks(&self) -> Vec<Question> {
        let cluster = self.cluster();
        let in_cluster = || ("ecs:cluster", "string", cluster.clone());
        let to_run = vec![
            in_cluster(),
            self.stack("aws:RequestTag/bastiond:stack"),
            ("ecs:enable-execute-command", "string", "true".to_owned()),
        ];
        let of_task = vec![
            in_cluster(),
            self.stack("aws:ResourceTag/bastiond:stack"),
            ("ecs:CreateAction", "string", "RunTask".to_owned()),
        ];
        let roles = [&self.definition.task_role, &self.definition.execution_role];
        let roles: Vec<_> = roles.into_iter().flatten().cloned().collect();
        let to_ecs = (
            "iam:PassedToService",
            "string",
            "ecs-tasks.amazonaws.com".to_owned(),
        );
        let mut questions = vec![
            question(&["ecs:RunTask"], vec![self.definition.arn.clone()], to_run),
            question(
                &["ecs:TagResource", "ecs:DescribeTasks", "ecs:StopTask"],
                vec![self.task()],
                of_task,
            ),
            question(&["ecs:ListTasks"], Vec::new(), vec![in_cluster()]),
        ];
        if !roles.is_empty() {
            questions.push(question(&["iam:PassRole"], roles, vec![to_ecs]));
        }
        questions
    }

    fn of_sessions(&self) -> Vec<Question> {
        let own = self.arn(
            "ssm",
            &format!("session/{}-0123", last_part(&self.identity.arn)),
        );
        let mut targets = vec![self.task()];
        targets.extend(self.documents.iter().map(|name| self.document(name)));
        let checked = (
            "ssm:SessionDocumentAccessCheck",
            "boolean",
            "true".to_owned(),
        );
        let mine = (
            "ssm:resourceTag/aws:ssmmessages:session-id",
            "string",
            self.identity.user_id.clone(),
        );
        vec![
            question(
                &["ssm:StartSession"],
                targets,
                vec![self.stack("aws:ResourceTag/bastiond:stack"), checked],
            ),
            question(
                &["ssm:ResumeSession", "ssm:TerminateSession"],
                vec![own.clone()],
                vec![mine],
            ),
            question(&["ssmmessages:OpenDataChannel"], vec![own], Vec::new()),
        ]
    }

    fn task(&self) -> String {
        let cluster = self.cluster();
        self.arn("ecs", &format!("task/{}/{TASK}", last_part(&cluster)))
    }

    fn stack(&self, key: &'static str) -> (&'static str, &'static str, String) {
        (key, "string", self.config.name.clone())
    }

    /// AWS's own documents are of no account.
    fn document(&self, name: &str) -> String {
        let partition = self.identity.arn.split(':').nth(1).unwrap_or("aws");
        match name {
            arn if arn.starts_with("arn:") => arn.to_owned(),
            aws if aws.starts_with("AWS-") => {
                format!("arn:{partition}:ssm:{}::document/{aws}", self.aws.region())
            }
            own => self.arn("ssm", &format!("document/{own}")),
        }
    }

    async fn task_role(&self) -> Known<Option<Role>> {
        let Some(arn) = &self.definition.task_role else {
            return Err(Gap::Needs("a task role (T03)"));
        };
        let role = self.aws.role(last_part(arn));
        self.gatherer.ask("iam:GetRole", role).await
    }

    async fn task_role_may(&self) -> Known<Vec<Simulated>> {
        let Some(arn) = &self.definition.task_role else {
            return Err(Gap::Needs("a task role (T03)"));
        };
        let question = Question {
            actions: CHANNELS.map(str::to_owned).to_vec(),
            ..Question::default()
        };
        self.may(&["I02"], arn, question).await
    }

    async fn execution_role_may(&self) -> Known<Vec<Simulated>> {
        let Some(arn) = &self.definition.execution_role else {
            return Err(Gap::Needs("an execution role (T03)"));
        };
        let mut all = Vec::new();
        for question in self.of_execution() {
            all.extend(self.may(&["I03"], arn, question).await?);
        }
        Ok(all)
    }

    fn of_execution(&self) -> Vec<Question> {
        let mut questions = Vec::new();
        let groups = self.definition.log_groups();
        let streams = groups
            .iter()
            .map(|(group, _)| self.arn("logs", &format!("log-group:{group}:log-stream:x")));
        let streams: Vec<_> = streams.collect();
        if !streams.is_empty() {
            questions.push(Question {
                actions: ["logs:CreateLogStream", "logs:PutLogEvents"]
                    .map(str::to_owned)
                    .to_vec(),
                resources: streams,
                context: Vec::new(),
            });
        }
        let images = self
            .definition
            .containers
            .iter()
            .map(|it| it.image.as_str());
        let repositories: Vec<_> = images.filter_map(|image| self.repository(image)).collect();
        if !repositories.is_empty() {
            questions.push(Question {
                actions: vec!["ecr:GetAuthorizationToken".to_owned()],
                ..Question::default()
            });
            questions.push(Question {
                actions: [
                    "ecr:BatchCheckLayerAvailability",
                    "ecr:GetDownloadUrlForLayer",
                    "ecr:BatchGetImage",
                ]
                .map(str::to_owned)
                .to_vec(),
                resources: repositories,
                context: Vec::new(),
            });
        }
        questions
    }

    /// `ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME:TAG`.
    fn repository(&self, image: &str) -> Option<String> {
        let (host, rest) = image
            .split_once('/')
            .filter(|_| ways::is_private_ecr(image))?;
        let mut parts = host.split('.');
        let (account, region) = (parts.next()?, parts.nth(2)?);
        let name = rest.split(['@', ':']).next()?;
        let partition = self.identity.arn.split(':').nth(1).unwrap_or("aws");
        Some(format!(
            "arn:{partition}:ecr:{region}:{account}:repository/{name}"
        ))
    }

    async fn may(&self, ids: &[&str], role: &str, question: Question) -> Known<Vec<Simulated>> {
        match self.gatherer.wants(ids) {
            true => {
                self.gatherer
                    .ask(SIMULATE, self.aws.simulate(role, &question))
                    .await
            }
            false => Err(Gap::Unasked),
        }
    }

    fn cluster(&self) -> String {
        let name = &self.config.cluster;
        match name.starts_with("arn:") {
            true => name.clone(),
            false => self.arn("ecs", &format!("cluster/{name}")),
        }
    }

    fn arn(&self, service: &str, rest: &str) -> String {
        let partition = self.identity.arn.split(':').nth(1).unwrap_or("aws");
        let (region, account) = (self.aws.region(), &self.identity.account);
        format!("arn:{partition}:{service}:{region}:{account}:{rest}")
    }
}

fn question(
    actions: &[&str],
    resources: Vec<String>,
    context: Vec<(&'static str, &'static str, String)>,
) -> Question {
    Question {
        actions: actions.iter().map(|it| (*it).to_owned()).collect(),
        resources,
        context,
    }
}

fn last_part(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
