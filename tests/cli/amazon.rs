//! moto as an Amazon of our own on a free port, spoken to by hand.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use crate::{
    listening::Listening,
    program::{World, skip},
};

/// A server in a process of its own; it ends with the value.
pub struct Amazon(Listening);

impl Amazon {
    /// Starts it; `None`, and a line that says so, where it is not installed.
    pub fn start(test: &str) -> Option<Self> {
        Listening::moto(|_| {}).map(Self).inspect_err(|why| skip(test, why)).ok()
    }

    /// Lets the runs of a world find it.
    pub fn introduce(&self, world: &mut World) {
        world
            .set("AWS_ENDPOINT_URL", format!("http://{}", self.0.address))
            .set("AWS_ACCESS_KEY_ID", "AKIDTEST")
            .set("AWS_SECRET_ACCESS_KEY", "secret")
            .set("AWS_REGION", "us-east-1");
    }

    /// Launches an instance with tags; its id.
    pub fn launch(&self, region: &str, tags: &[(&str, &str)]) -> String {
        let mut form = "Action=RunInstances&Version=2016-11-15&ImageId=ami-12c6146b&MinCount=1&MaxCount=1\
                        &TagSpecification.1.ResourceType=instance"
            .to_owned();
        for (at, (key, value)) in tags.iter().enumerate() {
            let at = at + 1;
            form += &format!("&TagSpecification.1.Tag.{at}.Key={key}&TagSpecification.1.Tag.{at}.Value={value}");
        }
        within(&self.ask(region, "ec2", &form), "instanceId").pop().expect("an instance")
    }

    /// The states of all instances of a region.
    pub fn states(&self, region: &str) -> Vec<String> {
        let answer = self.ask(region, "ec2", "Action=DescribeInstances&Version=2016-11-15");
        answer.split("<instanceState>").skip(1).flat_map(|rest| within(rest, "name").into_iter().take(1)).collect()
    }

    /// One call of the Query protocol.
    pub fn ask(&self, region: &str, service: &str, form: &str) -> String {
        let mut stream = TcpStream::connect(self.0.address).expect("moto listens");
        // HTTP/1.0: the answer ends with the connection. moto looks at who asks, and not at whether the signature is right.
        let (address, length) = (self.0.address, form.len());
        let head = format!(
            "POST / HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {length}\r\nAuthorization: AWS4-HMAC-SHA256 \
             Credential=AKIDTEST/20260101/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0\r\n\r\n"
        );
        stream.write_all((head + form).as_bytes()).expect("moto reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("moto answers");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.split(' ').nth(1).is_some_and(|code| code.starts_with('2')), "{form}: {answer}");
        answer
    }
}

/// What stands between the tags of this name.
fn within(text: &str, tag: &str) -> Vec<String> {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    text.split(&open).skip(1).filter_map(|rest| Some(rest.split_once(&close)?.0.to_owned())).collect()
}
