//! What IAM tells of roles, and what it thinks of a policy. A simulation sees no control policy of other accounts, and no
//! policy of a resource.

use serde::Deserialize;
use serde_json::Value;

use super::{
    Aws,
    error::{Error, Kind},
    query::{Call, Form, Items, Service},
};

const SIMULATE: Call = Call {
    service: Service::Iam,
    action: "SimulatePrincipalPolicy",
};
const GET_ROLE: Call = Call {
    service: Service::Iam,
    action: "GetRole",
};

/// What a simulation is asked: each action on each resource, under the same circumstances.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// Such as `ecs:RunTask`.
    pub actions: Vec<String>,
    /// ARNs; none means `*`.
    pub resources: Vec<String>,
    /// Keys of conditions, each with its type (`string`, `boolean`) and value.
    pub context: Vec<(&'static str, &'static str, String)>,
}

/// What IAM thinks of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulated {
    /// The action.
    pub action: String,
    /// The ARN.
    pub resource: String,
    /// What comes of it.
    pub decision: Decision,
}

/// What comes of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is allowed.
    Allowed,
    /// A policy denies it.
    Denied,
    /// No policy allows it.
    NotAllowed,
    /// A control policy of the organisation does not allow it.
    ByOrganization,
    /// The permissions boundary does not allow it.
    ByBoundary,
    /// It depends on these keys, which the question did not tell.
    Depends(Vec<String>),
}

/// A role.
#[derive(Clone, Debug, PartialEq)]
pub struct Role {
    /// Its ARN, with its path.
    pub arn: String,
    /// Who may assume it.
    pub trust: Value,
}

#[derive(Debug, Deserialize)]
struct SimulateResponse {
    #[serde(rename = "SimulatePrincipalPolicyResult")]
    result: Evaluations,
}

#[derive(Debug, Deserialize)]
struct Evaluations {
    #[serde(rename = "EvaluationResults")]
    all: Option<Items<Evaluation>>,
}

#[derive(Debug, Deserialize)]
struct Evaluation {
    #[serde(rename = "EvalActionName", default)]
    action: String,
    #[serde(rename = "EvalResourceName", default)]
    resource: String,
    #[serde(rename = "EvalDecision", default)]
    decision: String,
    #[serde(rename = "MissingContextValues")]
    missing: Option<Items<String>>,
    #[serde(rename = "OrganizationsDecisionDetail")]
    organization: Option<ByOrganization>,
    #[serde(rename = "PermissionsBoundaryDecisionDetail")]
    boundary: Option<ByBoundary>,
}

#[derive(Debug, Deserialize)]
struct ByOrganization {
    #[serde(rename = "AllowedByOrganizations")]
    allowed: bool,
}

#[derive(Debug, Deserialize)]
struct ByBoundary {
    #[serde(rename = "AllowedByPermissionsBoundary")]
    allowed: bool,
}

#[derive(Debug, Deserialize)]
struct RoleResponse {
    #[serde(rename = "GetRoleResult")]
    result: RoleResult,
}

#[derive(Debug, Deserialize)]
struct RoleResult {
    #[serde(rename = "Role")]
    role: RawRole,
}

#[derive(Debug, Deserialize)]
struct RawRole {
    #[serde(rename = "Arn")]
    arn: String,
    #[serde(rename = "AssumeRolePolicyDocument", default)]
    trust: String,
}

impl Aws {
    /// What IAM thinks `principal`, a user's or role's ARN, may do.
    pub async fn simulate(
        &self,
        principal: &str,
        question: &Question,
    ) -> Result<Vec<Simulated>, Error> {
        let mut form = Form::of(SIMULATE);
        form.add("PolicySourceArn", principal);
        form.add_all("ActionNames.member", &question.actions);
        form.add_all("ResourceArns.member", &question.resources);
        for (index, (key, kind, value)) in question.context.iter().enumerate() {
            let entry = format!("ContextEntries.member.{}", index + 1);
            form.add(&format!("{entry}.ContextKeyName"), key);
            form.add(&format!("{entry}.ContextKeyType"), kind);
            form.add(&format!("{entry}.ContextKeyValues.member.1"), value);
        }
        let answer =
            self.ask::<SimulateResponse>(SIMULATE, &form, |xml| quick_xml::de::from_str(xml));
        let all = answer.await?.result.all;
        let all = all.map(|items| items.member).unwrap_or_default();
        Ok(all.into_iter().map(Simulated::from).collect())
    }

    /// A role; `None` if there is none of that name.
    pub async fn role(&self, name: &str) -> Result<Option<Role>, Error> {
        let mut form = Form::of(GET_ROLE);
        form.add("RoleName", name);
        let answer = self.ask::<RoleResponse>(GET_ROLE, &form, |xml| quick_xml::de::from_str(xml));
        let role = match answer.await {
            Ok(answer) => answer.result.role,
            Err(error) if error.code.as_deref() == Some("NoSuchEntity") => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut decoded = form_urlencoded::parse(role.trust.as_bytes());
        let text = decoded.next().map(|(text, _)| text.into_owned());
        let trust = serde_json::from_str(&text.unwrap_or_default()).map_err(|error| {
            let message = format!("the trust policy of role {name} is not JSON: {error}");
            self.failure("GetRole", None, message, Kind::Other)
        })?;
        Ok(Some(Role {
            arn: role.arn,
            trust,
        }))
    }
}

impl From<Evaluation> for Simulated {
    fn from(told: Evaluation) -> Self {
        let missing = told.missing.map(|items| items.member).unwrap_or_default();
        let decision = match told.decision.as_str() {
            "allowed" => Decision::Allowed,
            "explicitDeny" => Decision::Denied,
            _ if told.organization.is_some_and(|it| !it.allowed) => Decision::ByOrganization,
            _ if told.boundary.is_some_and(|it| !it.allowed) => Decision::ByBoundary,
            _ if !missing.is_empty() => Decision::Depends(missing),
            _ => Decision::NotAllowed,
        };
        Self {
            action: told.action,
            resource: told.resource,
            decision,
        }
    }
}
