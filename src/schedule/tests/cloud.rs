//! A cloud of our own on loopback, for what moto cannot: states that take time, capacity that is not there, keys that may not
//! be used, throttling, batches of which one is bad, pages. It speaks the Query protocol of EC2 and RDS as far as the job asks.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    pub region: String,
    pub action: String,
    pub parameters: BTreeMap<String, String>,
}

/// What a test answers instead of the cloud.
pub type Script = dyn Fn(&Call, &mut Vec<Fake>, usize) -> Option<Reply> + Send + Sync;

/// An answer that is no success.
pub struct Reply(pub u16, pub &'static str, pub String);

/// A machine of the cloud.
#[derive(Clone, Debug)]
pub struct Fake {
    pub id: String,
    pub region: String,
    /// `running`, or `available`: which of the services it belongs to is told by `database`.
    pub state: String,
    pub database: bool,
    pub class: String,
    pub zone: String,
    /// Code of the `StateReason`.
    pub reason: String,
    /// What follows in how many looks.
    pub then: Option<(usize, String, String)>,
    /// How many looks a turn takes.
    pub slow: usize,
    pub hibernation: bool,
}

/// The server; it ends with the value.
pub struct Cloud {
    pub url: String,
    pub machines: Arc<Mutex<Vec<Fake>>>,
    calls: Arc<Mutex<Vec<Call>>>,
    task: JoinHandle<()>,
}

impl Call {
    /// The ids that it is about.
    pub fn ids(&self) -> Vec<&str> {
        let is_id = |name: &str| name.starts_with("InstanceId.") || name.ends_with("Identifier");
        self.parameters.iter().filter(|(name, _)| is_id(name)).map(|(_, value)| value.as_str()).collect()
    }
}

impl Fake {
    pub fn instance(id: &str, state: &str) -> Self {
        Self {
            id: id.into(),
            region: "us-east-2".into(),
            state: state.into(),
            database: false,
            class: "t3.large".into(),
            zone: "us-east-2a".into(),
            reason: String::new(),
            then: None,
            slow: 2,
            hibernation: false,
        }
    }

    pub fn database(id: &str, state: &str) -> Self {
        Self { database: true, class: "db.t3.micro".into(), ..Self::instance(id, state) }
    }

    fn look(&mut self) {
        match self.then.take() {
            Some((0, state, reason)) => (self.state, self.reason) = (state, reason),
            Some((looks, state, reason)) => self.then = Some((looks - 1, state, reason)),
            None => {}
        }
    }

    /// Begins to turn.
    pub fn turn(&mut self, way: &str, end: &str) {
        self.state = way.into();
        self.then = Some((self.slow, end.into(), String::new()));
    }
}

impl Cloud {
    /// Starts it with these machines. The script is given each call, all machines, and how many calls of the same action there
    /// were before.
    pub async fn start(
        machines: Vec<Fake>,
        script: impl Fn(&Call, &mut Vec<Fake>, usize) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let machines = Arc::new(Mutex::new(machines));
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (all, asked, script): (_, _, Arc<Script>) = (machines.clone(), calls.clone(), Arc::new(script));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, all.clone(), asked.clone(), script.clone()));
            }
        });
        Self { url, machines, calls, task }
    }

    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// The calls that change something: `StopInstances i-1 i-2`.
    pub fn changes(&self) -> Vec<String> {
        let calls = self.calls();
        let changes = calls.iter().filter(|call| !call.action.starts_with("Describe"));
        changes.map(|call| format!("{} {}", call.action, call.ids().join(" "))).collect()
    }

    pub fn count(&self, action: &str) -> usize {
        self.calls().iter().filter(|call| call.action == action).count()
    }

    pub fn state(&self, id: &str) -> String {
        self.machines
            .lock()
            .unwrap()
            .iter()
            .find(|fake| fake.id == id)
            .map(|fake| fake.state.clone())
            .unwrap_or_default()
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    machines: Arc<Mutex<Vec<Fake>>>,
    calls: Arc<Mutex<Vec<Call>>>,
    script: Arc<Script>,
) {
    let mut read = Vec::new();
    while let Some(call) = request(&mut stream, &mut read).await {
        let (status, body) = {
            let (mut machines, mut calls) = (machines.lock().unwrap(), calls.lock().unwrap());
            let before = calls.iter().filter(|other| other.action == call.action).count();
            calls.push(call.clone());
            match script(&call, &mut machines, before) {
                // A plain yes, without what usually follows from it.
                Some(Reply(200, ..)) => (200, answer(&call, &mut [])),
                Some(Reply(status, code, message)) => (status, error(&call, code, &message)),
                None => (200, answer(&call, &mut machines)),
            }
        };
        let head =
            format!("HTTP/1.1 {status} Said\r\ncontent-type: text/xml\r\ncontent-length: {}\r\n\r\n", body.len());
        if stream.write_all((head + &body).as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Calls without `DB` in their names that answer as RDS does.
const OF_RDS_TOO: [&str; 3] = ["AssumeRole", "DescribeEvents", "DescribePendingMaintenanceActions"];

/// Both shapes of an error: EC2's and RDS's.
fn error(call: &Call, code: &str, message: &str) -> String {
    let inner = format!("<Code>{code}</Code><Message>{message}</Message>");
    match call.action.contains("DB") || OF_RDS_TOO.contains(&call.action.as_str()) {
        true => {
            format!("<ErrorResponse><Error><Type>Sender</Type>{inner}</Error><RequestId>1</RequestId></ErrorResponse>")
        }
        false => format!("<Response><Errors><Error>{inner}</Error></Errors><RequestID>1</RequestID></Response>"),
    }
}

/// As the cloud answers where nothing is scripted.
fn answer(call: &Call, machines: &mut [Fake]) -> String {
    let action = call.action.as_str();
    let ids: Vec<String> = call.ids().into_iter().map(str::to_owned).collect();
    for fake in machines.iter_mut().filter(|fake| fake.region == call.region && ids.contains(&fake.id)) {
        match action {
            "StartInstances" => fake.turn("pending", "running"),
            "StopInstances" => fake.turn("stopping", "stopped"),
            "StartDBInstance" => fake.turn("starting", "available"),
            "StopDBInstance" => fake.turn("stopping", "stopped"),
            _ => {}
        }
    }
    let mut here: Vec<&mut Fake> = machines.iter_mut().filter(|fake| fake.region == call.region).collect();
    match action {
        "DescribeInstances" => {
            here.retain(|fake| !fake.database);
            here.iter_mut().for_each(|fake| fake.look());
            let at: usize = call.parameters.get("NextToken").map_or(0, |token| token.parse().unwrap());
            let size: usize = call.parameters.get("MaxResults").map_or(1000, |size| size.parse().unwrap()).min(PAGE);
            let set: String = here.iter().skip(at).take(size).map(|fake| instance(fake)).collect();
            let next =
                if at + size < here.len() { format!("<nextToken>{}</nextToken>", at + size) } else { String::new() };
            format!(
                "<DescribeInstancesResponse><requestId>1</requestId><reservationSet><item><ownerId>111122223333</ownerId>\
                 <instancesSet>{set}</instancesSet></item></reservationSet>{next}</DescribeInstancesResponse>"
            )
        }
        "DescribeDBInstances" => {
            here.retain(|fake| fake.database);
            here.iter_mut().for_each(|fake| fake.look());
            let at: usize = call.parameters.get("Marker").map_or(0, |token| token.parse().unwrap());
            let set: String = here.iter().skip(at).take(PAGE).map(|fake| database(fake)).collect();
            let next = if at + PAGE < here.len() { format!("<Marker>{}</Marker>", at + PAGE) } else { String::new() };
            result(action, &format!("<DBInstances>{set}</DBInstances>{next}"))
        }
        "DescribeEvents" => result(action, "<Events></Events>"),
        "DescribePendingMaintenanceActions" => {
            here.retain(|fake| fake.database && !fake.reason.is_empty());
            let set: String = here.iter().map(|fake| pending(fake)).collect();
            result(action, &format!("<PendingMaintenanceActions>{set}</PendingMaintenanceActions>"))
        }
        "DescribeDBMajorEngineVersions" => {
            let life = |name: &str, end: &str| {
                format!(
                    "<SupportedEngineLifecycle><LifecycleSupportName>open-source-rds-{name}-support</LifecycleSupportName>\
                     <LifecycleSupportEndDate>{end}</LifecycleSupportEndDate></SupportedEngineLifecycle>"
                )
            };
            let lives = life("extended", "2034-02-28T00:00:00Z") + &life("standard", "2031-02-28T00:00:00Z");
            let version = format!(
                "<DBMajorEngineVersion><Engine>postgres</Engine><MajorEngineVersion>15</MajorEngineVersion>\
                 <SupportedEngineLifecycles>{lives}</SupportedEngineLifecycles></DBMajorEngineVersion>"
            );
            result(action, &format!("<DBMajorEngineVersions>{version}</DBMajorEngineVersions>"))
        }
        "AssumeRole" => result(
            action,
            "<Credentials><AccessKeyId>AKIDROLE</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>\
             <SessionToken>token</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials>",
        ),
        _ if action.contains("DB") => result(action, ""),
        _ => format!("<{action}Response><requestId>1</requestId></{action}Response>"),
    }
}

/// Small pages, so that two are needed soon.
const PAGE: usize = 60;

fn result(action: &str, inner: &str) -> String {
    format!("<{action}Response><{action}Result>{inner}</{action}Result></{action}Response>")
}

fn instance(fake: &Fake) -> String {
    let Fake { id, state, class, zone, reason, hibernation, .. } = fake;
    let why = match reason.as_str() {
        "" => String::new(),
        code => format!("<stateReason><code>{code}</code><message>{code}: said by the cloud</message></stateReason>"),
    };
    format!(
        "<item><instanceId>{id}</instanceId><instanceState><code>0</code><name>{state}</name></instanceState>\
         <instanceType>{class}</instanceType><placement><availabilityZone>{zone}</availabilityZone></placement>\
         <launchTime>2030-11-20T12:00:00Z</launchTime><rootDeviceType>ebs</rootDeviceType>{why}\
         <hibernationOptions><configured>{hibernation}</configured></hibernationOptions>\
         <tagSet><item><key>Schedule</key><value>office-hours</value></item></tagSet></item>"
    )
}

/// The reason of a database is what waits for it.
fn pending(fake: &Fake) -> String {
    let Fake { id, region, reason, .. } = fake;
    format!(
        "<ResourcePendingMaintenanceActions>\
         <ResourceIdentifier>arn:aws:rds:{region}:111122223333:db:{id}</ResourceIdentifier>\
         <PendingMaintenanceActionDetails><PendingMaintenanceAction><Action>{reason}</Action>\
         <Description>said by the cloud</Description><ForcedApplyDate>2031-01-01T00:00:00Z</ForcedApplyDate>\
         </PendingMaintenanceAction></PendingMaintenanceActionDetails></ResourcePendingMaintenanceActions>"
    )
}

fn database(fake: &Fake) -> String {
    let Fake { id, state, class, region, .. } = fake;
    format!(
        "<DBInstance><DBInstanceIdentifier>{id}</DBInstanceIdentifier><DBInstanceStatus>{state}</DBInstanceStatus>\
         <DBInstanceClass>{class}</DBInstanceClass><Engine>postgres</Engine><EngineVersion>15.4</EngineVersion>\
         <CertificateDetails><CAIdentifier>rds-ca-rsa2048-g1</CAIdentifier><ValidTill>2031-01-10T00:00:00Z</ValidTill>\
         </CertificateDetails><PubliclyAccessible>true</PubliclyAccessible>\
         <DBInstanceArn>arn:aws:rds:{region}:111122223333:db:{id}</DBInstanceArn>\
         <TagList><Tag><Key>Schedule</Key><Value>office-hours</Value></Tag></TagList></DBInstance>"
    )
}

/// Reads one request; `None` at the end of the connection.
async fn request(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<Call> {
    let end = loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(read).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&read[..end]).into_owned();
    read.drain(..end + 4);
    let header = |name: &str| {
        let found =
            head.lines().find_map(|line| line.split_once(':').filter(|(own, _)| own.eq_ignore_ascii_case(name)));
        found.map(|(_, value)| value.trim().to_owned())
    };
    let length: usize = header("content-length").map_or(0, |length| length.parse().unwrap());
    while read.len() < length {
        if stream.read_buf(read).await.ok()? == 0 {
            return None;
        }
    }
    let body: Vec<u8> = read.drain(..length).collect();
    let parameters: BTreeMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    // AKIDTEST/20301125/us-east-2/ec2/aws4_request
    let region = header("authorization").and_then(|text| text.split('/').nth(2).map(str::to_owned)).unwrap_or_default();
    let action = parameters.get("Action").cloned().unwrap_or_default();
    Some(Call { region, action, parameters })
}
