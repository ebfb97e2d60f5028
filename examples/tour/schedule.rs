//! The stops of the tour about schedules: a weekend in which the clocks change, and a plan over a small inventory. The machines
//! are a sample that a responder on loopback tells in the words of EC2 and RDS; nobody is started or stopped.

use std::{fs, net::SocketAddr, path::Path};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{drive_with, site::Anything};

/// Follows a calendar, and compares a sample with it.
pub async fn stops(folder: &Path) -> Result<u8, Anything> {
    fs::write(folder.join("mainstay.toml"), CONFIGURATION)?;
    let clocks = ["schedule", "simulate", "nights", "--from", "2026-10-30", "--to", "2026-11-02"];
    drive_with("Nights, over the weekend in which the clocks are put back", &clocks, folder, 0, &[]).await?;
    if !cfg!(feature = "aws") {
        return Ok(1);
    }
    let address = inventory().await?;
    let amazon = [
        ("AWS_ENDPOINT_URL", format!("http://{address}")),
        ("AWS_ACCESS_KEY_ID", "TOUR".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "tour".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ];
    let plan = ["schedule", "plan", "office-hours", "--at", "2026-11-23T21:30"];
    drive_with("Half past nine: what runs, what should, and what is left alone", &plan, folder, 0, &amazon).await?;
    Ok(2)
}

const CONFIGURATION: &str = r#"project = "prime"

[schedule.office-hours]
timezone = "America/Detroit"
on = ["Mon-Fri 07:00-19:00"]
off_dates = ["2026-11-26"]

[[schedule.office-hours.ec2]]
regions = ["us-east-2"]
tags = { Schedule = "office-hours" }

[[schedule.office-hours.rds]]
regions = ["us-east-2"]
ids = ["prime-dev-db"]

[schedule.nights]
timezone = "America/Detroit"
on = ["Sat 22:00-01:30"]

[[schedule.nights.ec2]]
regions = ["us-east-2"]
tags = { Schedule = "nights" }
"#;

/// A responder that tells the sample, as long as the tour goes on.
async fn inventory() -> Result<SocketAddr, Anything> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(tell(stream));
        }
    });
    Ok(address)
}

async fn tell(mut stream: TcpStream) -> std::io::Result<()> {
    let mut asked = vec![0; 64 * 1024];
    let mut length = 0;
    loop {
        let read = stream.read(&mut asked[length..]).await?;
        length += read;
        let text = String::from_utf8_lossy(&asked[..length]);
        let Some(action) = text.split("Action=").nth(1).and_then(|rest| rest.split('&').next()) else {
            if read == 0 || length == asked.len() {
                return Ok(());
            }
            continue;
        };
        let body = match action {
            "DescribeInstances" => instances(),
            "DescribeDBInstances" => DATABASES.to_owned(),
            _ => "<DescribeEventsResponse><DescribeEventsResult><Events/></DescribeEventsResult></DescribeEventsResponse>".to_owned(),
        };
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).await?;
        length = 0;
    }
}

fn instances() -> String {
    // Name, id, state, when it was started, and one more tag.
    let sample = [
        ("web-1", "i-0a1b2c3d4e5f60001", "running", "2026-11-23T12:00:30Z", ""),
        ("web-2", "i-0a1b2c3d4e5f60002", "running", "2026-11-24T01:45:00Z", ""),
        (
            "worker",
            "i-0a1b2c3d4e5f60003",
            "running",
            "2026-11-23T12:00:30Z",
            "mainstay:override=on until 2026-11-24T04:00Z by ann",
        ),
        ("batch", "i-0a1b2c3d4e5f60004", "stopped", "2026-11-20T12:00:30Z", ""),
        ("fleet", "i-0a1b2c3d4e5f60005", "running", "2026-11-20T12:00:30Z", "aws:autoscaling:groupName=fleet"),
    ];
    let items: String = sample
        .iter()
        .map(|(name, id, state, started, tag)| {
            let tags = [("Name", *name), ("Schedule", "office-hours")].into_iter().chain(tag.split_once('='));
            let tags: String =
                tags.map(|(key, value)| format!("<item><key>{key}</key><value>{value}</value></item>")).collect();
            format!(
                "<item><instanceId>{id}</instanceId><instanceState><code>16</code><name>{state}</name></instanceState>\
                 <instanceType>t3.large</instanceType><launchTime>{started}</launchTime><tagSet>{tags}</tagSet></item>"
            )
        })
        .collect();
    format!(
        "<DescribeInstancesResponse><reservationSet><item><ownerId>111122223333</ownerId><instancesSet>{items}</instancesSet>\
         </item></reservationSet></DescribeInstancesResponse>"
    )
}

const DATABASES: &str = "<DescribeDBInstancesResponse><DescribeDBInstancesResult><DBInstances><DBInstance>\
    <DBInstanceIdentifier>prime-dev-db</DBInstanceIdentifier><DBInstanceStatus>available</DBInstanceStatus>\
    <DBInstanceClass>db.t3.micro</DBInstanceClass><Engine>postgres</Engine>\
    <DBInstanceArn>arn:aws:rds:us-east-2:111122223333:db:prime-dev-db</DBInstanceArn></DBInstance></DBInstances>\
    </DescribeDBInstancesResult></DescribeDBInstancesResponse>";
