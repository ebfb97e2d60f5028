//! The least that schedules need of IAM, as the JSON that Amazon takes.
//!
//! Three roles with three duties, and none with two trusts: whoever applies schedules (a host, or a function), EventBridge
//! Scheduler that invokes the function or calls the services itself, and whoever deploys. Conditions on tags keep everything
//! out that has not been opted in, whatever the configuration says later. Sources: Service Authorization Reference of EC2,
//! RDS, EventBridge Scheduler and Lambda; EventBridge Scheduler User Guide, "Confused deputy prevention".

use serde_json::{Map, Value, json};

use super::fleet::{OVERRIDE, Service};

/// The machines of one selector.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Machines {
    /// Whose; EC2 where it is not said.
    pub rds: bool,
    /// Where.
    pub regions: Vec<String>,
    /// By all these tags.
    pub tags: Vec<(String, String)>,
    /// By id.
    pub ids: Vec<String>,
    /// Clusters by id.
    pub clusters: Vec<String>,
    /// Whether snapshots are made before a stop.
    pub snapshots: bool,
}

/// What the policies of one account are for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Fleet {
    /// `aws`, `aws-cn`.
    pub partition: String,
    /// Its number; `*` where it is not known.
    pub account: String,
    /// The machines.
    pub machines: Vec<Machines>,
    /// The KMS keys that encrypt volumes of its instances, as ARNs; `None` where nobody could look.
    pub keys: Option<Vec<String>>,
    /// Whether `check` looks at the upkeep of databases.
    pub upkeep: bool,
}

/// How schedules are handed to EventBridge Scheduler.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Handed {
    /// The region of the schedules; `*` where there are several.
    pub region: String,
    /// The schedule group.
    pub group: String,
    /// The role that EventBridge Scheduler takes on.
    pub role: String,
    /// The function that it invokes.
    pub function: Option<String>,
    /// The queue of calls that failed for good.
    pub queue: Option<String>,
}

/// Who applies schedules.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Who {
    /// A person or a host, who also sets overrides and checks.
    Person,
    /// The function, which only applies.
    Function,
}

impl Fleet {
    /// Whoever applies schedules from a host; `roles` are those of other accounts that it takes on.
    pub fn host(&self, roles: &[String]) -> Value {
        let mut statements = self.statements(Who::Person);
        if !roles.is_empty() {
            let only =
                json!({ "Sid": "OtherAccounts", "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": roles });
            statements.push(only);
        }
        policy(statements)
    }

    /// The function's own role: the same, and its log. It sets no override: people do.
    pub fn function(&self, roles: &[String], function: &str, region: &str) -> Value {
        let mut statements = self.statements(Who::Function);
        if !roles.is_empty() {
            statements.push(
                json!({ "Sid": "OtherAccounts", "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": roles }),
            );
        }
        let name = function.split(':').nth(6).unwrap_or(function);
        let log = format!("arn:{}:logs:{region}:{}:log-group:/aws/lambda/{name}:*", self.partition, self.account);
        let actions = ["logs:CreateLogStream", "logs:PutLogEvents"];
        statements.push(json!({ "Sid": "OwnLog", "Effect": "Allow", "Action": actions, "Resource": log }));
        policy(statements)
    }

    /// What EventBridge Scheduler may do with the role that it takes on.
    pub fn scheduler(&self, handed: &Handed) -> Value {
        let mut statements = match &handed.function {
            Some(function) => vec![json!({
                "Sid": "InvokeTheFunction",
                "Effect": "Allow",
                "Action": "lambda:InvokeFunction",
                "Resource": [function, format!("{function}:*")],
            })],
            None => {
                let mut statements = self.switches();
                statements.extend(self.grants());
                statements
            }
        };
        if let Some(queue) = &handed.queue {
            statements
                .push(json!({ "Sid": "Failed", "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": queue }));
        }
        policy(statements)
    }

    /// Who may take that role on: EventBridge Scheduler, for the schedules of this group of this account and nobody else's.
    pub fn scheduler_trust(&self, handed: &Handed) -> Value {
        let group = format!(
            "arn:{}:scheduler:{}:{}:schedule-group/{}",
            self.partition, handed.region, self.account, handed.group
        );
        policy(vec![json!({
            "Effect": "Allow",
            "Principal": { "Service": "scheduler.amazonaws.com" },
            "Action": "sts:AssumeRole",
            "Condition": {
                "StringEquals": { "aws:SourceAccount": self.account },
                "ArnLike": { "aws:SourceArn": group },
            },
        })])
    }

    /// Whoever runs `schedule deploy`.
    pub fn deployer(&self, handed: &Handed) -> Value {
        let Handed { region, group, role, .. } = handed;
        let (partition, account) = (&self.partition, &self.account);
        let arn = |what: &str| format!("arn:{partition}:scheduler:{region}:{account}:{what}");
        policy(vec![
            json!({
                "Sid": "OwnSchedules",
                "Effect": "Allow",
                "Action": ["scheduler:CreateSchedule", "scheduler:DeleteSchedule", "scheduler:GetSchedule", "scheduler:UpdateSchedule"],
                "Resource": arn(&format!("schedule/{group}/*")),
            }),
            json!({
                "Sid": "OwnGroup",
                "Effect": "Allow",
                "Action": ["scheduler:CreateScheduleGroup", "scheduler:GetScheduleGroup"],
                "Resource": arn(&format!("schedule-group/{group}")),
            }),
            json!({ "Sid": "List", "Effect": "Allow", "Action": "scheduler:ListSchedules", "Resource": "*" }),
            json!({
                "Sid": "HandTheRoleOn",
                "Effect": "Allow",
                "Action": "iam:PassRole",
                "Resource": role,
                "Condition": { "StringEquals": { "iam:PassedToService": "scheduler.amazonaws.com" } },
            }),
        ])
    }

    /// What a start may need besides, where the keys of the volumes are not known: EC2 makes a grant on behalf of whoever
    /// starts an instance whose volumes a key of one's own encrypts.
    pub fn volumes(&self) -> Option<Value> {
        if self.keys.is_some() {
            return None;
        }
        let regions = self.regions(Service::Ec2);
        let any = |region: &String| format!("arn:{}:kms:{region}:{}:key/*", self.partition, self.account);
        let keys: Vec<String> = regions.iter().map(|region| any(region)).collect();
        (!keys.is_empty()).then(|| policy(vec![self.grant(&keys)]))
    }

    /// The same for the keys that the volumes have.
    fn grants(&self) -> Option<Value> {
        self.keys.as_ref().filter(|keys| !keys.is_empty()).map(|keys| self.grant(keys))
    }

    /// Only for EC2, and only such grants as a service of Amazon makes (KMS Developer Guide, "Allowing Amazon services to use
    /// grants"; EC2 User Guide, "Requirements for Amazon EBS encryption").
    fn grant(&self, keys: &[String]) -> Value {
        let domain = if self.partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
        let via: Vec<String> =
            self.regions(Service::Ec2).iter().map(|region| format!("ec2.{region}.{domain}")).collect();
        json!({
            "Sid": "StartWithEncryptedVolumes",
            "Effect": "Allow",
            "Action": "kms:CreateGrant",
            "Resource": keys,
            "Condition": { "Bool": { "kms:GrantIsForAWSResource": "true" }, "StringEquals": { "kms:ViaService": via } },
        })
    }

    fn regions(&self, service: Service) -> Vec<&String> {
        let mut regions: Vec<&String> = self.of(service).flat_map(|machines| &machines.regions).collect();
        regions.sort_unstable();
        regions.dedup();
        regions
    }

    fn of(&self, service: Service) -> impl Iterator<Item = &Machines> {
        self.machines.iter().filter(move |machines| machines.rds == (service == Service::Rds))
    }

    fn statements(&self, who: Who) -> Vec<Value> {
        let mut statements = Vec::new();
        let (ec2, rds) = (self.regions(Service::Ec2), self.regions(Service::Rds));
        if !ec2.is_empty() {
            // Types are asked for by `check` alone.
            let looks: &[&str] = match who {
                Who::Person => {
                    &["ec2:DescribeInstances", "ec2:DescribeInstanceTypes", "ec2:DescribeSpotInstanceRequests"]
                }
                Who::Function => &["ec2:DescribeInstances", "ec2:DescribeSpotInstanceRequests"],
            };
            statements.push(json!({
                "Sid": "LookAtEc2",
                "Effect": "Allow",
                "Action": looks,
                "Resource": "*",
                "Condition": { "StringEquals": { "aws:RequestedRegion": ec2 } },
            }));
        }
        if !rds.is_empty() {
            let arn =
                |region: &String, what: &str| format!("arn:{}:rds:{region}:{}:{what}:*", self.partition, self.account);
            let all: Vec<String> = rds.iter().flat_map(|region| [arn(region, "db"), arn(region, "cluster")]).collect();
            statements.push(json!({
                "Sid": "LookAtRds",
                "Effect": "Allow",
                "Action": ["rds:DescribeDBClusters", "rds:DescribeDBInstances"],
                "Resource": all,
            }));
            statements.push(json!({
                "Sid": "WhoStartedIt",
                "Effect": "Allow",
                "Action": "rds:DescribeEvents",
                "Resource": "*",
                "Condition": { "StringEquals": { "aws:RequestedRegion": rds } },
            }));
            if self.upkeep && who == Who::Person {
                statements.push(json!({
                    "Sid": "LookAtUpkeep",
                    "Effect": "Allow",
                    "Action": ["rds:DescribeDBMajorEngineVersions", "rds:DescribePendingMaintenanceActions"],
                    "Resource": "*",
                    "Condition": { "StringEquals": { "aws:RequestedRegion": rds } },
                }));
            }
        }
        statements.extend(self.switches());
        statements.extend(self.grants());
        for (at, machines) in self.machines.iter().enumerate() {
            if machines.rds && machines.snapshots {
                statements.extend(self.snapshots(machines, at + 1));
            }
            if who == Who::Person {
                statements.push(self.overrides(machines, at + 1));
            }
        }
        statements
    }

    /// Starting and stopping what has opted in.
    fn switches(&self) -> Vec<Value> {
        let switch = |(at, machines): (usize, &Machines)| {
            let actions: &[&str] = match (machines.rds, machines.clusters.is_empty(), machines.ids.is_empty()) {
                (false, ..) => &["ec2:StartInstances", "ec2:StopInstances"],
                (true, true, false) => &["rds:StartDBInstance", "rds:StopDBInstance"],
                (true, false, true) => &["rds:StartDBCluster", "rds:StopDBCluster"],
                (true, ..) => &["rds:StartDBCluster", "rds:StartDBInstance", "rds:StopDBCluster", "rds:StopDBInstance"],
            };
            self.about(&format!("Switch{}", at + 1), actions, machines, Map::new())
        };
        self.machines.iter().enumerate().map(switch).collect()
    }

    fn overrides(&self, machines: &Machines, number: usize) -> Value {
        let actions: &[&str] = match machines.rds {
            false => &["ec2:CreateTags", "ec2:DeleteTags"],
            true => &["rds:AddTagsToResource", "rds:RemoveTagsFromResource"],
        };
        // No other tag can be written, or whoever sets overrides could opt machines in.
        let only = json!({ "ForAllValues:StringEquals": { "aws:TagKeys": [OVERRIDE] } });
        let only = only.as_object().cloned().unwrap_or_default();
        self.about(&format!("Override{number}"), actions, machines, only)
    }

    /// A stop that makes a snapshot is checked on the snapshot too, and creating is checked on both. Only ours can be removed.
    fn snapshots(&self, machines: &Machines, number: usize) -> Vec<Value> {
        let own: Vec<String> = machines
            .regions
            .iter()
            .map(|region| format!("arn:{}:rds:{region}:{}:snapshot:mainstay-*", self.partition, self.account))
            .collect();
        let mut source = self.about(
            &format!("Snapshot{number}"),
            &["rds:CreateDBSnapshot", "rds:DescribeDBSnapshots"],
            machines,
            Map::new(),
        );
        // Clusters never get one.
        if let Some(resources) = source["Resource"].as_array_mut() {
            resources.retain(|arn| !arn.as_str().is_some_and(|arn| arn.contains(":cluster:")));
        }
        vec![
            source,
            json!({
                "Sid": format!("OwnSnapshots{number}"),
                "Effect": "Allow",
                "Action": ["rds:AddTagsToResource", "rds:CreateDBSnapshot", "rds:DeleteDBSnapshot", "rds:StopDBInstance"],
                "Resource": own,
            }),
        ]
    }

    /// A statement about the machines of a selector: their very names, or all with their tags.
    fn about(&self, sid: &str, actions: &[&str], machines: &Machines, mut condition: Map<String, Value>) -> Value {
        let arn = |region: &String, service: &str, what: &str, id: &str| {
            let separator = if service == "ec2" { '/' } else { ':' };
            format!("arn:{}:{service}:{region}:{}:{what}{separator}{id}", self.partition, self.account)
        };
        let mut resources = Vec::new();
        for region in &machines.regions {
            match (machines.rds, machines.tags.is_empty()) {
                (false, true) => resources.extend(machines.ids.iter().map(|id| arn(region, "ec2", "instance", id))),
                (false, false) => resources.push(arn(region, "ec2", "instance", "*")),
                (true, true) => {
                    resources.extend(machines.ids.iter().map(|id| arn(region, "rds", "db", id)));
                    resources.extend(machines.clusters.iter().map(|id| arn(region, "rds", "cluster", id)));
                }
                (true, false) => resources.extend([arn(region, "rds", "cluster", "*"), arn(region, "rds", "db", "*")]),
            }
        }
        if !machines.tags.is_empty() {
            let tags: Map<String, Value> = machines
                .tags
                .iter()
                .map(|(key, value)| (format!("aws:ResourceTag/{key}"), value.clone().into()))
                .collect();
            condition.insert("StringEquals".to_owned(), tags.into());
        }
        let mut statement = json!({ "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources });
        if !condition.is_empty() {
            statement["Condition"] = condition.into();
        }
        statement
    }
}

/// Who may take on the role of another account: whoever `host` is, with the external id where there is one.
pub fn account_trust(host: &str, has_external_id: bool) -> Value {
    let mut statement = json!({ "Effect": "Allow", "Principal": { "AWS": host }, "Action": "sts:AssumeRole" });
    if has_external_id {
        // The id itself is a secret of the configuration.
        statement["Condition"] = json!({ "StringEquals": { "sts:ExternalId": "THE-EXTERNAL-ID" } });
    }
    policy(vec![statement])
}

/// Who may take on the function's role.
pub fn function_trust() -> Value {
    let lambda = json!({ "Service": "lambda.amazonaws.com" });
    policy(vec![json!({ "Effect": "Allow", "Principal": lambda, "Action": "sts:AssumeRole" })])
}

fn policy(statements: Vec<Value>) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet() -> Fleet {
        let machines = vec![
            Machines {
                regions: vec!["us-east-2".into()],
                tags: vec![("Schedule".into(), "office-hours".into())],
                ..Machines::default()
            },
            Machines {
                rds: true,
                regions: vec!["us-east-2".into()],
                ids: vec!["prime-dev-db".into()],
                snapshots: true,
                ..Machines::default()
            },
        ];
        let key = "arn:aws:kms:us-east-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        Fleet {
            partition: "aws".into(),
            account: "111122223333".into(),
            machines,
            keys: Some(vec![key.into()]),
            upkeep: true,
        }
    }

    fn handed(function: Option<&str>) -> Handed {
        Handed {
            region: "us-east-2".into(),
            group: "mainstay".into(),
            role: "arn:aws:iam::111122223333:role/mainstay-scheduler".into(),
            function: function.map(str::to_owned),
            queue: None,
        }
    }

    const FUNCTION: &str = "arn:aws:lambda:us-east-2:111122223333:function:mainstay";

    #[test]
    fn nothing_is_allowed_on_everything_that_changes_something() {
        let fleet = fleet();
        let documents = [
            fleet.host(&[]),
            fleet.function(&[], FUNCTION, "us-east-2"),
            fleet.scheduler(&handed(Some(FUNCTION))),
            fleet.scheduler(&handed(None)),
            fleet.deployer(&handed(None)),
        ];
        for document in documents {
            for statement in document["Statement"].as_array().unwrap() {
                let text = statement.to_string();
                let looks = text.contains("Describe") || text.contains("List");
                assert!(looks || statement["Resource"] != "*", "{text}");
                let everywhere = text.contains("instance/*") || text.contains(":db:*");
                assert!(!everywhere || looks || text.contains("aws:ResourceTag/"), "{text}");
            }
        }
    }

    #[test]
    fn the_policies_are_these() {
        let fleet = fleet();
        insta::assert_json_snapshot!("host", fleet.host(&["arn:aws:iam::444455556666:role/mainstay".into()]));
        insta::assert_json_snapshot!("function", fleet.function(&[], FUNCTION, "us-east-2"));
        insta::assert_json_snapshot!("scheduler_lambda", fleet.scheduler(&handed(Some(FUNCTION))));
        insta::assert_json_snapshot!("scheduler_direct", fleet.scheduler(&handed(None)));
        insta::assert_json_snapshot!("scheduler_trust", fleet.scheduler_trust(&handed(None)));
        insta::assert_json_snapshot!("deployer", fleet.deployer(&handed(None)));
        insta::assert_json_snapshot!("volumes", Fleet { keys: None, ..fleet.clone() }.volumes());
        assert_eq!(fleet.volumes(), None, "the keys are known, and stand with the rest");
        let none = Fleet { keys: Some(Vec::new()), ..fleet };
        assert!(none.volumes().is_none() && !none.host(&[]).to_string().contains("kms:"), "no volume is encrypted");
    }
}
