//! What policies allow, as IAM simulates it: for us, for the task, for what starts it.

use super::Gatherer;
use crate::aws::{Aws, Definition, Identity, Question, Role, Simulated};
use crate::config;
use crate::doctor::check::{Gap, Known};
use crate::doctor::ways;

const SIMULATE: &str = "iam:SimulatePrincipalPolicy";
/// A task and a session that do not exist: policies name them by patterns.
const TASK: &str = "0123456789abcdef0123456789abcdef";
const DOCUMENT: &str = "AWS-StartPortForwardingSessionToRemoteHost";
const CHANNELS: [&str; 4] = [
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
];

/// What is allowed.
pub struct Policies {
    /// To us.
    pub operator: Known<Vec<Simulated>>,
    /// The task role; none of that name.
    pub task_role: Known<Option<Role>>,
    /// To the task.
    pub task_role_may: Known<Vec<Simulated>>,
    /// To what starts it.
    pub execution_role_may: Known<Vec<Simulated>>,
}

impl Policies {
    /// Nothing is known, for this reason.
    pub fn unknown(gap: &Gap) -> Self {
        Self {
            operator: Err(gap.clone()),
            task_role: Err(gap.clone()),
            task_role_may: Err(gap.clone()),
            execution_role_may: Err(gap.clone()),
        }
    }
}

/// Asks for it, with the `definition` at hand.
pub async fn policies(
    gatherer: &Gatherer,
    config: &config::Bastion,
    aws: &Aws,
    identity: &Identity,
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
    definition: &'a Definition,
}

impl Asker<'_> {
    async fn operator(&self) -> Known<Vec<Simulated>> {
        if !self.gatherer.wants(&["I01", "I05"]) {
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

    fn questions(&self) -> Vec<Question> {
        let question = |actions: &[&str], resources: Vec<String>, mut context: Vec<_>| {
            context.push(("aws:userid", "string", self.identity.user_id.clone()));
            Question {
                actions: actions.iter().map(|it| (*it).to_owned()).collect(),
                resources,
                context,
            }
        };
        let stack = self.config.name.clone();
        let cluster = self.cluster();
        let in_cluster = || ("ecs:cluster", "string", cluster.clone());
        let task = self.arn("ecs", &format!("task/{}/{TASK}", last_part(&cluster)));
        let session = vec![self.arn("ssm", &format!("session/{}-0123", self.session_name()))];
        let partition = self.identity.arn.split(':').nth(1).unwrap_or("aws");
        let document = format!(
            "arn:{partition}:ssm:{}::document/{DOCUMENT}",
            self.aws.region()
        );
        let roles = [&self.definition.task_role, &self.definition.execution_role];
        let roles: Vec<_> = roles.into_iter().flatten().cloned().collect();
        let tagged = || ("aws:ResourceTag/bastiond:stack", "string", stack.clone());
        let mut questions = vec![
            question(
                &["ecs:RunTask"],
                vec![self.definition.arn.clone()],
                vec![
                    in_cluster(),
                    ("aws:RequestTag/bastiond:stack", "string", stack.clone()),
                    ("ecs:enable-execute-command", "string", "true".to_owned()),
                ],
            ),
            question(
                &["ecs:TagResource", "ecs:DescribeTasks", "ecs:StopTask"],
                vec![task.clone()],
                vec![
                    in_cluster(),
                    tagged(),
                    ("ecs:CreateAction", "string", "RunTask".to_owned()),
                ],
            ),
            question(&["ecs:ListTasks"], Vec::new(), vec![in_cluster()]),
            question(
                &["ssm:StartSession"],
                vec![task, document],
                vec![
                    tagged(),
                    (
                        "ssm:SessionDocumentAccessCheck",
                        "boolean",
                        "true".to_owned(),
                    ),
                ],
            ),
            question(
                &["ssm:ResumeSession", "ssm:TerminateSession"],
                session.clone(),
                vec![(
                    "ssm:resourceTag/aws:ssmmessages:session-id",
                    "string",
                    self.identity.user_id.clone(),
                )],
            ),
            question(&["ssmmessages:OpenDataChannel"], session, Vec::new()),
        ];
        if !roles.is_empty() {
            let to_ecs = "ecs-tasks.amazonaws.com".to_owned();
            let context = vec![("iam:PassedToService", "string", to_ecs)];
            questions.push(question(&["iam:PassRole"], roles, context));
        }
        questions
    }

    /// Sessions bear the user's name, or that of the role's session.
    fn session_name(&self) -> &str {
        last_part(&self.identity.arn)
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

fn last_part(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
