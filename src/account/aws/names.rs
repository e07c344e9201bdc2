//! ARNs, and the names in them.

use super::session::Session;
use crate::account::kind::ArnShape;
use crate::account::kind::apigateway::INVOKED;
use crate::account::{Region, Resource, ResourceKind};

/// A resource's ARN, from its name alone.
pub fn arn(session: &Session, resource: &Resource) -> String {
    let region = session.region_of(resource).as_str();
    let name = resource.qualified_name();
    resource.kind.descriptor().arn.of(&session.partition, region, session.config.id.as_str(), &name)
}

/// A parameter's ARN in a region that need not be the session's.
pub fn parameter_arn(session: &Session, region: &Region, name: &str) -> String {
    let parameter = ResourceKind::Parameter.descriptor();
    parameter.arn.of(&session.partition, region.as_str(), session.config.id.as_str(), name)
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
        let names = |shape: &ArnShape| {
            let rest = self.resource.strip_prefix(shape.before).filter(|_| self.service == shape.service)?;
            Some((shape.names)(rest))
        };
        let of_kind = |kind: ResourceKind| Some((kind, names(&kind.descriptor().arn)?));
        let invoked = || Some((ResourceKind::Api, names(&INVOKED)?));
        ResourceKind::ALL.into_iter().find_map(of_kind).or_else(invoked)
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
