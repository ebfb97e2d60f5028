//! EC2 instances of one region: looked at by [`Ec2`], started and stopped by [`Ec2Switch`].

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_ec2::{
    Client,
    types::{self, DeviceType, Filter, InstanceLifecycleType, InstanceType, SpotInstanceType},
};
use aws_types::SdkConfig;

use super::{Refusal, instant};
use crate::rules::fleet::{Act, Details, Instance, Kind, Machine, Spot, Turn, User, initiated};

/// Which machines of a region to tell of. More may come: whoever asks has several wishes and one call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Query {
    /// All there are.
    All,
    /// Those with one of these ids.
    Ids(Vec<String>),
    /// Those that have each of these tags, with one of its values.
    Tags(Vec<(String, Vec<String>)>),
}

/// Looks at the instances of a region.
#[derive(Clone, Debug)]
pub struct Ec2 {
    client: Client,
    region: String,
    partition: &'static str,
}

/// Starts and stops them.
#[derive(Clone, Debug)]
pub struct Ec2Switch {
    client: Client,
}

/// As many instances as a page can have (EC2 API Reference, DescribeInstances).
const PAGE: i32 = 1000;

/// More ids than this are not asked for one by one.
pub const MOST_IDS: usize = 50;

/// As many values as a filter can have (EC2 API Reference, Filter).
const MOST_VALUES: usize = 200;

/// As many types as can be asked for by name (EC2 API Reference, DescribeInstanceTypes).
const MOST_TYPES: usize = 100;

impl Ec2 {
    /// The region that the configuration is for.
    pub fn new(sdk: &SdkConfig) -> Self {
        let region = sdk.region().map(ToString::to_string).unwrap_or_default();
        Self { client: Client::new(sdk), partition: super::partition(&region), region }
    }

    /// The instances, all pages of them. One call, and a second where there are spot instances among them.
    ///
    /// # Errors
    ///
    /// What EC2 refused.
    pub async fn look(&self, query: &Query) -> Result<Vec<Machine>, Refusal> {
        let mut request = self.client.describe_instances();
        for (name, values) in filters(query) {
            request = request.filters(Filter::builder().name(name).set_values(Some(values)).build());
        }
        let mut pages = request.into_paginator().page_size(PAGE).send();
        let mut machines = Vec::new();
        let mut requests = BTreeMap::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Refusal::of(&error))?;
            for reservation in page.reservations() {
                let account = reservation.owner_id().unwrap_or_default();
                for instance in reservation.instances() {
                    if let Some(request) = instance.spot_instance_request_id() {
                        requests.insert(request.to_owned(), machines.len());
                    }
                    machines.push(self.machine(instance, account));
                }
            }
        }
        if !requests.is_empty() {
            self.tell_spots(&mut machines, &requests).await;
        }
        Ok(machines)
    }

    /// The KMS keys that encrypt the volumes of these instances, as ARNs, each once.
    ///
    /// # Errors
    ///
    /// What EC2 refused.
    pub async fn keys(&self, ids: &[String]) -> Result<BTreeSet<String>, Refusal> {
        let mut keys = BTreeSet::new();
        for some in ids.chunks(MOST_VALUES) {
            let own = Filter::builder().name("attachment.instance-id").set_values(Some(some.to_vec())).build();
            let encrypted = Filter::builder().name("encrypted").values("true").build();
            let request = self.client.describe_volumes().filters(own).filters(encrypted);
            let mut pages = request.into_paginator().send();
            while let Some(page) = pages.next().await {
                let page = page.map_err(|error| Refusal::of(&error))?;
                keys.extend(page.volumes().iter().filter_map(|volume| volume.kms_key_id()).map(str::to_owned));
            }
        }
        Ok(keys)
    }

    /// How many gigabytes of instance store each of these types has; those without any are left out.
    ///
    /// # Errors
    ///
    /// What EC2 refused.
    pub async fn stores(&self, classes: &BTreeSet<String>) -> Result<BTreeMap<String, i64>, Refusal> {
        let classes: Vec<InstanceType> = classes.iter().map(|class| InstanceType::from(class.as_str())).collect();
        let mut sizes = BTreeMap::new();
        for some in classes.chunks(MOST_TYPES) {
            let request = self.client.describe_instance_types().set_instance_types(Some(some.to_vec()));
            let mut pages = request.into_paginator().send();
            while let Some(page) = pages.next().await {
                for told in page.map_err(|error| Refusal::of(&error))?.instance_types() {
                    let size = told.instance_storage_info().and_then(|info| info.total_size_in_gb());
                    if let (Some(class), Some(size)) = (told.instance_type(), size.filter(|size| *size > 0)) {
                        sizes.insert(class.as_str().to_owned(), size);
                    }
                }
            }
        }
        Ok(sizes)
    }

    /// Whether the credentials would be allowed to start or stop all of these: EC2 is asked to say what it would do, and
    /// does nothing.
    ///
    /// # Errors
    ///
    /// What EC2 answered when it told neither.
    pub async fn allows(&self, act: Act, ids: &[String]) -> Result<bool, Refusal> {
        let ids = Some(ids.to_vec());
        let refusal = match act {
            Act::Stop => {
                let call = self.client.stop_instances().set_instance_ids(ids).dry_run(true).send();
                call.await.map(drop).map_err(|error| Refusal::of(&error))
            }
            Act::Start | Act::Nothing => {
                let call = self.client.start_instances().set_instance_ids(ids).dry_run(true).send();
                call.await.map(drop).map_err(|error| Refusal::of(&error))
            }
        };
        match refusal {
            Err(refusal) if refusal.is("DryRunOperation") => Ok(true),
            Err(refusal) if refusal.is("UnauthorizedOperation") => Ok(false),
            Err(refusal) => Err(refusal),
            // What only pretends says so with an error; who answers otherwise is no EC2.
            Ok(()) => Ok(true),
        }
    }

    fn machine(&self, instance: &types::Instance, account: &str) -> Machine {
        let id = instance.instance_id().unwrap_or_default().to_owned();
        let status = instance.state().and_then(|state| state.name()).map_or("unknown", |name| name.as_str());
        let launched = instance.launch_time().and_then(instant);
        // Only a person's stop has a time; whatever else stopped it is no person's wish.
        let turn = match (status, launched) {
            ("running" | "pending", Some(at)) => Turn::At(at),
            ("running" | "pending", None) => Turn::Unknown,
            _ => match initiated(instance.state_transition_reason().unwrap_or_default()) {
                User::At(at) => Turn::At(at),
                User::Nobody => Turn::Earlier,
            },
        };
        let is_spot = instance.instance_lifecycle() == Some(&InstanceLifecycleType::Spot);
        let reason = instance.state_reason();
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        Machine {
            arn: format!("arn:{}:ec2:{}:{account}:instance/{id}", self.partition, self.region),
            id,
            kind: Kind::Instance,
            account: account.to_owned(),
            region: self.region.clone(),
            tags: tags(instance.tags().iter().map(|tag| (tag.key(), tag.value()))),
            status: status.to_owned(),
            classes: instance.instance_type().map(|class| class.as_str().to_owned()).into_iter().collect(),
            zone: instance.placement().and_then(|place| place.availability_zone()).map(str::to_owned),
            turn,
            state_reason: reason.map(|reason| (text(reason.code()), text(reason.message()))),
            details: Details::Instance(Instance {
                // Until the request is known it is taken for one that cannot be stopped.
                spot: is_spot.then_some(Spot::OneTime),
                instance_store: instance.root_device_type() == Some(&DeviceType::InstanceStore),
                hibernation: instance.hibernation_options().and_then(|options| options.configured()).unwrap_or(false),
                launched,
                public_address: instance.network_interfaces().iter().any(|card| {
                    // An address that is one's own (Elastic IP) stays, and goes on costing.
                    card.association().and_then(|found| found.ip_owner_id()) == Some("amazon")
                }),
            }),
        }
    }

    /// Tells persistent spot requests from one-time ones: DescribeInstances does not. Where the question is refused, all
    /// count as one-time, which are left alone.
    async fn tell_spots(&self, machines: &mut [Machine], requests: &BTreeMap<String, usize>) {
        let ids: Vec<String> = requests.keys().cloned().collect();
        let mut pages = self
            .client
            .describe_spot_instance_requests()
            .set_spot_instance_request_ids(Some(ids))
            .into_paginator()
            .send();
        while let Some(Ok(page)) = pages.next().await {
            for request in page.spot_instance_requests() {
                let at = request.spot_instance_request_id().and_then(|id| requests.get(id));
                let Some(machine) = at.and_then(|at| machines.get_mut(*at)) else { continue };
                if let (Details::Instance(instance), Some(SpotInstanceType::Persistent)) =
                    (&mut machine.details, request.r#type())
                {
                    instance.spot = Some(Spot::Persistent);
                }
            }
        }
    }
}

impl Ec2Switch {
    /// The region that the configuration is for.
    pub fn new(sdk: &SdkConfig) -> Self {
        Self { client: Client::new(sdk) }
    }

    /// Starts them; either all are accepted or none.
    ///
    /// # Errors
    ///
    /// What EC2 refused; its sentence may name which of them.
    pub async fn start(&self, ids: &[String]) -> Result<(), Refusal> {
        let call = self.client.start_instances().set_instance_ids(Some(ids.to_vec())).send();
        call.await.map(drop).map_err(|error| Refusal::of(&error))
    }

    /// Stops them, or lets them hibernate.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn stop(&self, ids: &[String], hibernate: bool) -> Result<(), Refusal> {
        let call = self.client.stop_instances().set_instance_ids(Some(ids.to_vec()));
        let call = if hibernate { call.hibernate(true) } else { call };
        call.send().await.map(drop).map_err(|error| Refusal::of(&error))
    }

    /// Gives one a tag.
    ///
    /// # Errors
    ///
    /// What EC2 refused.
    pub async fn tag(&self, id: &str, key: &str, value: &str) -> Result<(), Refusal> {
        let tag = types::Tag::builder().key(key).value(value).build();
        let call = self.client.create_tags().resources(id).tags(tag).send();
        call.await.map(drop).map_err(|error| Refusal::of(&error))
    }

    /// Takes a tag off.
    ///
    /// # Errors
    ///
    /// What EC2 refused.
    pub async fn untag(&self, id: &str, key: &str) -> Result<(), Refusal> {
        let call = self.client.delete_tags().resources(id).tags(types::Tag::builder().key(key).build()).send();
        call.await.map(drop).map_err(|error| Refusal::of(&error))
    }
}

fn filters(query: &Query) -> Vec<(String, Vec<String>)> {
    match query {
        Query::All => Vec::new(),
        Query::Ids(ids) => vec![("instance-id".to_owned(), ids.clone())],
        // In a value, `*` and `?` are wildcards unless they are escaped.
        Query::Tags(tags) => {
            let escaped = |value: &String| value.replace('\\', "\\\\").replace('*', "\\*").replace('?', "\\?");
            tags.iter().map(|(key, values)| (format!("tag:{key}"), values.iter().map(escaped).collect())).collect()
        }
    }
}

/// Tags as a map; Amazon has each key once.
pub(super) fn tags<'a>(tags: impl Iterator<Item = (Option<&'a str>, Option<&'a str>)>) -> BTreeMap<String, String> {
    let owned =
        |(key, value): (Option<&str>, Option<&str>)| Some((key?.to_owned(), value.unwrap_or_default().to_owned()));
    tags.filter_map(owned).collect::<HashMap<_, _>>().into_iter().collect()
}
