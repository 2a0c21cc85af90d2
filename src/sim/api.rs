//! AWS's API on one HTTP port: takes calls, lets faults strike, and hands the rest to the service's own file.

use std::io;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    time::Instant,
};

use super::{
    ec2, ecs,
    faults::ApiFault,
    inspect, kms, rds, ssm, sts,
    wire::{ApiCall, ApiError, Service, respond},
    world::{Call, World},
};

/// Accepts API connections for as long as the simulator lives.
pub(super) async fn serve(world: World, listener: TcpListener) {
    loop {
        // An accept error is the process's own (out of descriptors): the next one may work.
        if let Ok((stream, _)) = listener.accept().await {
            world.core.spawn(serve_connection(world.clone(), stream));
        }
    }
}

async fn serve_connection(world: World, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| answer_request(&world, request));
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    if (&mut connection).await.is_err() {
        // The one error of our service means: reset the connection.
        let _ = connection.into_parts().io.into_inner().set_zero_linger();
    }
}

/// The answer's connection is to be reset instead of used.
#[derive(Debug)]
struct Reset;

async fn answer_request(
    world: &World,
    request: Request<Incoming>,
) -> io::Result<Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let call = match ApiCall::parse(&parts.method, &parts.headers, parts.uri.query(), &body) {
        Ok(call) => call,
        Err(error) => return Ok(respond(Service::Ecs, "", &Err(error))),
    };
    let index = log_call(world, &call);
    tracing::debug!(operation = call.operation, "api call");
    let answer = match is_expired(world, &parts.headers) {
        true => Ok(Err(expired_token(call.service))),
        false => answer(world, &call).await,
    };
    let Ok(answer) = answer else {
        return Err(io::ErrorKind::ConnectionReset.into());
    };
    let response = respond(call.service, &call.operation, &answer);
    let status = response.status().as_u16();
    world
        .core
        .change(|state| state.calls[index].status = Some(status));
    Ok(response)
}

fn log_call(world: &World, call: &ApiCall) -> usize {
    let entry = Call {
        operation: call.operation.clone(),
        at: Instant::now(),
        body: call.body.clone(),
        signed_for: call.signed_for.clone(),
        status: None,
    };
    world.core.change(|state| {
        state.calls.push(entry);
        state.calls.len() - 1
    })
}

/// The call's own result, unless a fault strikes.
async fn answer(world: &World, call: &ApiCall) -> Result<Result<Value, ApiError>, Reset> {
    let Some(fault) = next_fault(world, &call.operation) else {
        return Ok(perform(world, call));
    };
    match fault {
        ApiFault::Throttle => Ok(Err(throttled(call.service))),
        ApiFault::Internal => Ok(Err(internal_error(call.service))),
        ApiFault::AccessDenied => Ok(Err(access_denied(world, call))),
        ApiFault::ExpiredToken => Ok(Err(expired_token(call.service))),
        ApiFault::Error(status, code, message) => {
            Ok(Err(ApiError::new(&code, message).with_status(status)))
        }
        ApiFault::Conflict(task) => {
            let conflict = ApiError::new("ConflictException", "The client token is in use.");
            Ok(Err(conflict.with("resourceIds", json!([task]))))
        }
        ApiFault::Answer(value) => Ok(Ok(value)),
        ApiFault::Rewrite(alter) => Ok(perform(world, call).map(|mut value| {
            alter(&mut value);
            value
        })),
        ApiFault::LoseAnswer => {
            let _ = perform(world, call);
            Err(Reset)
        }
        ApiFault::Reset => Err(Reset),
        // Only the client, or the simulator's end, breaks it off.
        ApiFault::Hang => std::future::pending().await,
        ApiFault::Delay(time) => {
            tokio::time::sleep(time).await;
            Ok(perform(world, call))
        }
    }
}

fn next_fault(world: &World, operation: &str) -> Option<ApiFault> {
    world.core.change(|state| {
        let faults = state.api_faults.get_mut(operation)?;
        faults.next.pop_front().or_else(|| faults.standing.clone())
    })
}

fn perform(world: &World, call: &ApiCall) -> Result<Value, ApiError> {
    check_signature(call)?;
    match call.service {
        Service::Ecs => ecs::perform(world, &call.operation, &call.body),
        Service::Ssm => ssm::perform(world, &call.operation, &call.body),
        Service::Kms => kms::perform(&world.core, &call.operation, &call.body),
        Service::Sts => sts::perform(&world.core, &call.operation, &call.body),
        Service::Rds => rds::perform(&world.core, &call.operation, &call.body),
        Service::Ec2 => ec2::perform(&world.core, &call.operation, &call.body),
        Service::Iam => inspect::iam(&world.core, &call.operation, &call.body),
        Service::Logs => inspect::logs(&call.operation, &call.body),
        Service::Quotas => inspect::quotas(&call.operation, &call.body),
        Service::Images => inspect::images(&call.operation),
        Service::Metrics => inspect::metrics(&call.operation),
        Service::Stacks | Service::Caches | Service::Warehouses => inspect::none(&call.operation),
    }
}

/// The signature must be there and name the service; it is not verified.
fn check_signature(call: &ApiCall) -> Result<(), ApiError> {
    match call.signed_for.as_deref() {
        Some(service) if service == call.service.name() => Ok(()),
        Some(_) => {
            let name = call.service.name();
            let message = format!("Credential should be scoped to correct service: '{name}'.");
            Err(ApiError::new("InvalidSignatureException", message))
        }
        None => Err(ApiError::new(
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        )),
    }
}

fn throttled(service: Service) -> ApiError {
    match service {
        Service::Ec2 => {
            ApiError::new("RequestLimitExceeded", "Request limit exceeded.").with_status(503)
        }
        _ => ApiError::new("ThrottlingException", "Rate exceeded"),
    }
}

fn internal_error(service: Service) -> ApiError {
    let code = match service {
        Service::Ecs => "ServerException",
        Service::Ssm => "InternalServerError",
        Service::Kms => "KMSInternalException",
        Service::Ec2 => "InternalError",
        _ => "InternalFailure",
    };
    ApiError::new(code, "Service Unavailable. Please try again later.").with_status(500)
}

fn is_expired(world: &World, headers: &HeaderMap) -> bool {
    let signature = headers.get(header::AUTHORIZATION);
    let signature = signature.and_then(|value| value.to_str().ok());
    let state = world.core.state();
    let mut expired = state.expired_keys.iter();
    expired.any(|key| signature.is_some_and(|it| it.contains(&format!("Credential={key}/"))))
}

fn expired_token(service: Service) -> ApiError {
    let code = match service {
        service if service.speaks_query() => "ExpiredToken",
        Service::Ec2 => "RequestExpired",
        _ => "ExpiredTokenException",
    };
    ApiError::new(
        code,
        "The security token included in the request is expired",
    )
}

/// IAM's words for a missing permission.
fn access_denied(world: &World, call: &ApiCall) -> ApiError {
    let caller = world.core.caller_arn();
    let action = format!("{}:{}", call.service.prefix(), call.operation);
    let resource = denied_resource(world, call);
    let message = format!(
        "User: {caller} is not authorized to perform: {action} on resource: {resource} \
         because no identity-based policy allows the {action} action"
    );
    let code = match call.service {
        service if service.speaks_query() => "AccessDenied",
        Service::Ec2 => {
            let message = format!("You are not authorized to perform this operation. {message}");
            return ApiError::new("UnauthorizedOperation", message).with_status(403);
        }
        _ => "AccessDeniedException",
    };
    ApiError::new(code, message)
}

fn denied_resource(world: &World, call: &ApiCall) -> String {
    let member = |name: &str| call.body[name].as_str().unwrap_or("*").to_owned();
    match call.operation.as_str() {
        "RunTask" => world.core.arn(
            "ecs",
            &format!("task-definition/{}", member("taskDefinition")),
        ),
        "StartSession" => world
            .core
            .arn("ssm", &format!("document/{}", member("DocumentName"))),
        "ResumeSession" | "TerminateSession" => {
            let session = format!("session/{}", member("SessionId"));
            world.core.arn("ssm", &session)
        }
        "GenerateDataKey" => member("KeyId"),
        "StartInstances" | "StopInstances" => {
            let instance = format!("instance/{}", member("InstanceId.1"));
            world.core.arn("ec2", &instance)
        }
        "DeregisterManagedInstance" => {
            let node = format!("managed-instance/{}", member("InstanceId"));
            world.core.arn("ssm", &node)
        }
        "ExecuteCommand" => member("task"),
        "AssumeRole" => member("RoleArn"),
        "DescribeDBClusters" => {
            let cluster = format!("cluster:{}", member("DBClusterIdentifier"));
            world.core.arn("rds", &cluster)
        }
        _ => "*".to_owned(),
    }
}
