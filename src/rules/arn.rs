//! Names of Amazon's resources: `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE` (AWS General Reference, "Amazon Resource
//! Names").

/// The part of Amazon that a region belongs to, as names of resources begin (AWS Fault Isolation Boundaries, "Partitions").
pub fn partition(region: &str) -> &'static str {
    match region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        region if region.starts_with("eusc-") => "aws-eusc",
        _ => "aws",
    }
}

/// The account in the name of a resource: `arn:aws:rds:us-east-2:111122223333:db:app`.
pub fn account_in(arn: &str) -> String {
    arn.split(':').nth(4).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_account_and_a_region_the_partition() {
        for (arn, account) in [
            ("arn:aws:iam::111122223333:role/mainstay", "111122223333"),
            ("arn:aws:lambda:us-east-2:444455556666:function:mainstay", "444455556666"),
            ("mainstay", ""),
        ] {
            assert_eq!(account_in(arn), account);
        }
        for (region, name) in [
            ("us-east-2", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            assert_eq!(partition(region), name);
        }
    }
}
