//! Resources by name, ARN, tag and stack.

use super::*;

#[test]
fn names_are_logical_ids_of_the_accounts_stack_first() {
    let tape = calm();
    let detail = |of: &str, physical: &str| {
        xml(&format!(
            "<DescribeStackResourceResponse><DescribeStackResourceResult><StackResourceDetail><ResourceType>{of}</ResourceType>\
         <PhysicalResourceId>{physical}</PhysicalResourceId><LogicalResourceId>Orders</LogicalResourceId>\
         <LastUpdatedTimestamp>2020-01-01T00:00:00Z</LastUpdatedTimestamp><ResourceStatus>CREATE_COMPLETE</ResourceStatus>\
         </StackResourceDetail></DescribeStackResourceResult></DescribeStackResourceResponse>"
        ))
    };
    let url = "https://sqs.eu-west-1.amazonaws.com/111122223333/shop-orders-1X";
    tape.on("DescribeStackResource", [detail("AWS::SQS::Queue", url)]);
    let stack = Some("shop".to_owned());
    let account = tape.account_of(AccountConfig { stack, ..AccountConfig::new("prod", ACCOUNT, "eu-west-1") });
    let named = |name: &str| Call::Resolve {
        account: AccountName("prod".into()),
        selector: Selector { kind: ResourceKind::Queue, by: SelectBy::Name(name.into()) },
    };
    let queue = |name| Ok(Reply::Resources(vec![resource(ResourceKind::Queue, name)]));
    assert_eq!(account.ask(named("Orders")), queue("shop-orders-1X"));
    // Not in the stack: the service's own name. Of another kind: no queue, whoever else is called so.
    let absent = error("DescribeStackResource", 400, "ValidationError", "Resource X does not exist for stack shop");
    tape.on("DescribeStackResource", [absent]);
    assert_eq!(account.ask(named("orders")), queue("orders"));
    tape.on("DescribeStackResource", [detail("AWS::SNS::Topic", "arn:aws:sns:eu-west-1:111122223333:t")]);
    assert_eq!(account.ask(named("Other")), Ok(Reply::Resources(Vec::new())));
    // ARNs of elsewhere mean nothing here.
    for arn in ["arn:aws:sqs:eu-west-1:999999999999:orders", "arn:aws:sqs:us-east-1:111122223333:orders"] {
        assert_eq!(account.ask(named(arn)), Ok(Reply::Resources(Vec::new())));
    }
}
