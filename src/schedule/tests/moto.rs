//! moto in a process of its own, and the calls that an administrator makes.

use aws_sdk_ec2::types::{ResourceType, Tag, TagSpecification};
use aws_types::SdkConfig;

use super::context;
use crate::system::{
    aws::{Pace, Wanted, account},
    process::listening::Listening,
};

/// The server; it ends with the value.
pub struct Moto(Listening);

impl Moto {
    /// Starts it; `None`, and a line that says so, where it is not installed.
    pub fn start(test: &str) -> Option<Self> {
        Listening::moto(|_| {})
            .map(Self)
            .inspect_err(|why| println!("SKIPPED schedule::tests::on_moto::{test}: {why}"))
            .ok()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.0.address)
    }

    pub async fn sdk(&self, region: &str) -> SdkConfig {
        let context = context(&self.url(), super::DAY);
        account(&context, Wanted { service: "EC2", ..Wanted::default() }, &Pace::default())
            .await
            .at(region, &Pace::default())
    }

    /// Launches instances with the tag `Schedule` and more; their ids.
    pub async fn launch(&self, region: &str, count: usize, tags: &[(&str, &str)]) -> Vec<String> {
        let client = aws_sdk_ec2::Client::new(&self.sdk(region).await);
        let images = client.describe_images().owners("amazon").send().await.unwrap();
        let image = images.images().first().and_then(|image| image.image_id()).unwrap().to_owned();
        let mut all = vec![("Schedule", "office-hours")];
        all.extend(tags);
        let tag = |(key, value): (&str, &str)| Tag::builder().key(key).value(value).build();
        let tags = all.into_iter().map(tag).collect();
        let tags = TagSpecification::builder().resource_type(ResourceType::Instance).set_tags(Some(tags)).build();
        let count = i32::try_from(count).unwrap();
        let run = client.run_instances().image_id(image).min_count(count).max_count(count);
        let run = run.instance_type("t3.large".into()).tag_specifications(tags).send().await.unwrap();
        run.instances().iter().filter_map(|instance| instance.instance_id()).map(str::to_owned).collect()
    }

    /// Makes a database with the tag.
    pub async fn database(&self, region: &str, id: &str, engine: &str, cluster: Option<&str>) {
        let client = aws_sdk_rds::Client::new(&self.sdk(region).await);
        let tag = aws_sdk_rds::types::Tag::builder().key("Schedule").value("office-hours").build();
        let make =
            client.create_db_instance().db_instance_identifier(id).db_instance_class("db.t3.micro").engine(engine);
        let make = make.allocated_storage(20).master_username("root").master_user_password("hunter22").tags(tag);
        make.set_db_cluster_identifier(cluster.map(str::to_owned)).send().await.unwrap();
    }

    /// The state of an instance.
    pub async fn state(&self, region: &str, id: &str) -> String {
        let client = aws_sdk_ec2::Client::new(&self.sdk(region).await);
        let told = client.describe_instances().instance_ids(id).send().await.unwrap();
        let instance = told.reservations().first().and_then(|found| found.instances().first().cloned()).unwrap();
        instance.state().and_then(|state| state.name()).map(|name| name.as_str().to_owned()).unwrap_or_default()
    }
}
