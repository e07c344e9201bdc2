//! ARNs, and the names in them.

use super::session::Session;
use crate::account::{Region, Resource, ResourceKind};

/// A resource's ARN, from its name alone.
pub fn arn(session: &Session, resource: &Resource) -> String {
    let name = &resource.name;
    match resource.kind {
        ResourceKind::Function => in_region(session, "lambda", &format!("function:{}", resource.qualified_name())),
        ResourceKind::Queue => in_region(session, "sqs", name),
        ResourceKind::Role => format!("arn:{}:iam::{}:role/{name}", session.partition, session.config.id),
        ResourceKind::Parameter => parameter_arn(session, session.region_of(resource), name),
        ResourceKind::Table => in_region(session, "dynamodb", &format!("table/{name}")),
        ResourceKind::Topic => in_region(session, "sns", name),
        ResourceKind::Api => {
            format!("arn:{}:apigateway:{}::/apis/{name}", session.partition, session.config.region)
        }
        ResourceKind::Alarm => in_region(session, "cloudwatch", &format!("alarm:{name}")),
        // Nothing of AWS.
        ResourceKind::Probe => name.clone(),
    }
}

/// A parameter's ARN: a path's own slash is the one that stands after `parameter`.
pub fn parameter_arn(session: &Session, region: &Region, name: &str) -> String {
    let name = name.strip_prefix('/').unwrap_or(name);
    format!("arn:{}:ssm:{region}:{}:parameter/{name}", session.partition, session.config.id)
}

/// The ARN of something in the session's account and region.
pub fn in_region(session: &Session, service: &str, resource: &str) -> String {
    format!("arn:{}:{service}:{}:{}:{resource}", session.partition, session.config.region, session.config.id)
}

/// Whether an ARN is a resource's own, to the letter. The invocation ARN of an HTTP API is taken as well.
pub fn is_arn_of(session: &Session, resource: &Resource, text: &str) -> bool {
    let invoked = || resource.kind == ResourceKind::Api && text == in_region(session, "execute-api", &resource.name);
    text == arn(session, resource) || invoked()
}

/// An ARN, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arn<'a> {
    pub service: &'a str,
    pub region: &'a str,
    pub account: &'a str,
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// `None`: the text is no ARN.
    pub fn parse(text: &'a str) -> Option<Arn<'a>> {
        let mut parts = text.splitn(6, ':');
        let (arn, _partition) = (parts.next()?, parts.next()?);
        let (service, region, account, resource) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        (arn == "arn").then_some(Arn { service, region, account, resource })
    }

    /// The alias or version of a function that it names.
    pub fn qualifier(&self) -> Option<&'a str> {
        let function = self.resource.strip_prefix("function:").filter(|_| self.service == "lambda")?;
        function.split_once(':').map(|(_, qualifier)| qualifier)
    }

    /// The kind and the names that it may mean: more than one for a parameter, whose ARN does not tell a name from a path
    /// of one part.
    pub fn names(&self) -> Option<(ResourceKind, Vec<String>)> {
        let after = |prefix| self.resource.strip_prefix(prefix).map(str::to_owned);
        let last = || self.resource.rsplit('/').next().map(str::to_owned);
        let (kind, name) = match self.service {
            // A qualifier names a version or an alias of the same function.
            "lambda" => (ResourceKind::Function, after("function:")?.split(':').next()?.to_owned()),
            "sqs" => (ResourceKind::Queue, self.resource.to_owned()),
            "sns" => (ResourceKind::Topic, self.resource.split(':').next()?.to_owned()),
            "dynamodb" => (ResourceKind::Table, after("table/")?.split('/').next()?.to_owned()),
            "cloudwatch" => (ResourceKind::Alarm, after("alarm:")?),
            "apigateway" => (ResourceKind::Api, after("/apis/")?.split('/').next()?.to_owned()),
            "execute-api" => (ResourceKind::Api, self.resource.split('/').next()?.to_owned()),
            "iam" => {
                after("role/")?;
                (ResourceKind::Role, last()?)
            }
            "ssm" => {
                let name = after("parameter/")?;
                let names = match name.contains('/') {
                    true => vec![format!("/{name}")],
                    false => vec![name.clone(), format!("/{name}")],
                };
                return Some((ResourceKind::Parameter, names));
            }
            _ => return None,
        };
        Some((kind, vec![name]))
    }
}

/// The last part of a queue's URL or of an ARN.
pub fn last_part(text: &str) -> &str {
    text.rsplit(['/', ':']).next().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_name_resources() {
        for (arn, kind, names) in [
            ("arn:aws:lambda:eu-west-1:111122223333:function:pay:live", ResourceKind::Function, vec!["pay"]),
            ("arn:aws:sqs:eu-west-1:111122223333:orders.fifo", ResourceKind::Queue, vec!["orders.fifo"]),
            ("arn:aws:iam::111122223333:role/team/worker", ResourceKind::Role, vec!["worker"]),
            ("arn:aws:ssm:eu-west-1:111122223333:parameter/shop/faults", ResourceKind::Parameter, vec!["/shop/faults"]),
            ("arn:aws:ssm:eu-west-1:111122223333:parameter/faults", ResourceKind::Parameter, vec!["faults", "/faults"]),
            ("arn:aws:cloudwatch:eu-west-1:111122223333:alarm:a:b", ResourceKind::Alarm, vec!["a:b"]),
            ("arn:aws:dynamodb:eu-west-1:111122223333:table/t/index/i", ResourceKind::Table, vec!["t"]),
            ("arn:aws:apigateway:eu-west-1::/apis/abc123/stages/x", ResourceKind::Api, vec!["abc123"]),
        ] {
            let names = names.into_iter().map(str::to_owned).collect();
            assert_eq!(Arn::parse(arn).and_then(|arn| arn.names()), Some((kind, names)), "{arn}");
        }
        assert_eq!(Arn::parse("PaymentWorker"), None);
        assert_eq!(Arn::parse("arn:aws:ec2:eu-west-1:111122223333:instance/i-1").unwrap().names(), None);
    }
}
