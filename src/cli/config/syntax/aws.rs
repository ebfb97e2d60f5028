//! The syntax of what AWS names: regions, ARNs, instances.

use super::{Wrong, instead, wrong};

pub(super) fn region(text: &str) -> Result<(), Wrong> {
    let parts: Vec<&str> = text.split('-').collect();
    let right = parts.len() >= 3
        && parts.first().is_some_and(|part| part.len() == 2)
        && parts.iter().rev().skip(1).all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase()))
        && parts.last().is_some_and(|part| part.len() == 1 && part.bytes().all(|b| b.is_ascii_digit()));
    if right {
        return Ok(());
    }
    // `us-east-2a` is a zone of the region `us-east-2`.
    let zone = text.strip_suffix(|c: char| c.is_ascii_lowercase()).filter(|rest| region(rest).is_ok());
    Err(match zone {
        Some(region) => instead("it is a zone, not a region", format!("write \"{region}\"")),
        None => instead("", "write \"us-east-2\""),
    })
}

pub(super) fn arn(text: &str, service: &str) -> Result<(), Wrong> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [start, partition, owner, place, account, resource] = parts.as_slice() else {
        return Err(instead("", format!("it begins with arn:aws:{service}:")));
    };
    if *start != "arn" || !partition.starts_with("aws") {
        return Err(instead("", format!("it begins with arn:aws:{service}:")));
    }
    if *owner != service {
        return Err(wrong(&format!("it is an ARN of {owner}, not of {service}")));
    }
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong("the account has 12 digits"));
    }
    match service {
        "iam" if !resource.starts_with("role/") => Err(wrong("it does not name a role (role/NAME)")),
        "lambda" if !resource.starts_with("function:") => Err(wrong("it does not name a function (function:NAME)")),
        "lambda" | "sqs" => region(place).map_err(|_| wrong("there is no region in it")),
        _ if resource.is_empty() => Err(wrong("it names nothing")),
        _ => Ok(()),
    }
}

pub(super) fn instance(text: &str) -> Result<(), Wrong> {
    let digits = text.strip_prefix("i-").unwrap_or_default();
    let right = matches!(digits.len(), 8 | 17) && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if right { Ok(()) } else { Err(instead("", "it begins with i- and has 17 hexadecimal digits")) }
}
