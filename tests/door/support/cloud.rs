//! AWS as far as `bastiond infra` asks for it, by a script: what moto does not do, such as failures and waiting.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// A request: its operation, and the parameters of a form or the body of JSON.
#[derive(Clone, Debug)]
pub struct Call {
    pub operation: String,
    pub form: BTreeMap<String, String>,
    pub json: serde_json::Value,
}

/// What a script answers with; `None` leaves it to what an account without anything in it answers.
pub type Answer = Option<(u16, String)>;

/// How often each operation was asked for before.
#[derive(Clone, Debug, Default)]
pub struct Before(BTreeMap<String, usize>);

impl Before {
    pub fn of(&self, operation: &str) -> usize {
        self.0.get(operation).copied().unwrap_or_default()
    }
}

/// A server that answers by a script.
pub struct Cloud {
    pub address: SocketAddr,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Cloud {
    pub fn start(script: impl Fn(&Call, &Before) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let cloud = Self {
            address: listener.local_addr().unwrap(),
            calls: Arc::default(),
        };
        let (calls, script) = (cloud.calls.clone(), Arc::new(script));
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (calls, script) = (calls.clone(), script.clone());
                thread::spawn(move || serve(socket, &calls, &*script));
            }
        });
        cloud
    }

    /// The operations that were asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        let calls = self.calls.lock().unwrap();
        calls.iter().map(|call| call.operation.clone()).collect()
    }

    /// The calls of one operation.
    pub fn calls(&self, operation: &str) -> Vec<Call> {
        let calls = self.calls.lock().unwrap();
        let of_it = calls.iter().filter(|call| call.operation == operation);
        of_it.cloned().collect()
    }
}

/// Ends with the connection, which the program closes when it ends.
fn serve(
    socket: TcpStream,
    calls: &Mutex<Vec<Call>>,
    script: &(dyn Fn(&Call, &Before) -> Answer + Sync),
) {
    let mut reader = BufReader::new(socket.try_clone().unwrap());
    let mut socket = socket;
    while let Some(call) = read(&mut reader) {
        let before = {
            let mut calls = calls.lock().unwrap();
            let mut before = Before::default();
            for earlier in calls.iter() {
                *before.0.entry(earlier.operation.clone()).or_default() += 1;
            }
            calls.push(call.clone());
            before
        };
        let (status, body) =
            script(&call, &before).unwrap_or_else(|| (200, nothing(&call.operation)));
        let answer = format!(
            "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nContent-Type: text/xml\r\nx-amzn-requestid: r-1\r\n\r\n{body}",
            body.len()
        );
        if socket.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Call> {
    let (mut length, mut target) = (0, String::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim();
        if line.is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(": ") else {
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "x-amz-target" => target = value.rsplit('.').next()?.to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let form: BTreeMap<_, _> = form_urlencoded::parse(&body).into_owned().collect();
    Some(Call {
        operation: form.get("Action").cloned().unwrap_or(target),
        json: serde_json::from_slice(&body).unwrap_or_default(),
        form,
    })
}

/// An answer of the Query protocol.
pub fn answered(operation: &str, inner: &str) -> (u16, String) {
    let body = format!(
        "<{operation}Response><{operation}Result>{inner}</{operation}Result><ResponseMetadata><RequestId>r-1</RequestId>\
         </ResponseMetadata></{operation}Response>"
    );
    (200, body)
}

pub fn refused(code: &str, message: &str) -> (u16, String) {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
         <RequestId>r-1</RequestId></ErrorResponse>"
    );
    (400, body)
}

/// An account with one subnet that has a way out, and nothing else.
fn nothing(operation: &str) -> String {
    match operation {
        "GetCallerIdentity" => {
            let who = "<Arn>arn:aws:iam::123456789012:user/me</Arn><UserId>A</UserId><Account>123456789012</Account>";
            answered(operation, who).1
        }
        "DescribeSubnets" => "<R><requestId>1</requestId><subnetSet><item><subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId>\
             <availabilityZone>eu-west-1a</availabilityZone><availableIpAddressCount>9</availableIpAddressCount></item>\
             </subnetSet></R>"
            .to_owned(),
        "DescribeRouteTables" => "<R><requestId>1</requestId><routeTableSet><item><routeTableId>rtb-1</routeTableId><vpcId>vpc-1</vpcId>\
             <routeSet><item><destinationCidrBlock>0.0.0.0/0</destinationCidrBlock><natGatewayId>nat-1</natGatewayId>\
             <state>active</state></item></routeSet><associationSet><item><main>true</main></item></associationSet></item>\
             </routeTableSet></R>"
            .to_owned(),
        "DescribeVpcEndpoints" => "<R><requestId>1</requestId><vpcEndpointSet/></R>".to_owned(),
        "DescribeClusters" => "{\"clusters\": []}".to_owned(),
        "ListTasks" => "{\"taskArns\": []}".to_owned(),
        _ => answered(operation, "").1,
    }
}
