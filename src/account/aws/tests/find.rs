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
    let account = tape.account_of(AccountConfig { stack, ..prod() });
    let named = |name: &str| Call::Resolve {
        location: prod().location(),
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

#[test]
fn tags_are_looked_for_page_by_page_and_what_is_of_another_kind_is_left_out() {
    let tape = calm();
    let page = |arns: &[&str], next: &str| {
        let found: Vec<Json> = arns.iter().map(|arn| json!({ "ResourceARN": arn })).collect();
        fine(json!({ "ResourceTagMappingList": found, "PaginationToken": next }))
    };
    let at = "arn:aws:lambda:eu-west-1:111122223333";
    let (pay, order, layer) = (format!("{at}:function:pay"), format!("{at}:function:order"), format!("{at}:layer:x"));
    tape.on("GetResources", [page(&[&pay, &layer], "more"), page(&[&order, &pay], "")]);
    let by = SelectBy::Tag { key: "team".into(), value: "payments".into() };
    let selector = Selector { kind: ResourceKind::Function, by };
    let found = tape.account().ask(Call::Resolve { location: prod().location(), selector });
    let function = |name| resource(ResourceKind::Function, name);
    assert_eq!(found, Ok(Reply::Resources(vec![function("order"), function("pay")])));
    let asked: Json = serde_json::from_str(&tape.body("GetResources")).unwrap();
    assert_eq!(asked["PaginationToken"], "more");
    assert_eq!(asked["TagFilters"], json!([{ "Key": "team", "Values": ["payments"] }]));
}

#[test]
fn a_stack_is_all_that_it_nests() {
    let tape = Tape::new();
    let page = |resources: &[(&str, &str)]| {
        let one = |(of, physical): &(&str, &str)| {
            format!(
                "<member><ResourceType>{of}</ResourceType><PhysicalResourceId>{physical}</PhysicalResourceId></member>"
            )
        };
        let all: String = resources.iter().map(one).collect();
        xml(&format!(
            "<ListStackResourcesResponse><ListStackResourcesResult><StackResourceSummaries>{all}</StackResourceSummaries>\
             </ListStackResourcesResult></ListStackResourcesResponse>"
        ))
    };
    let nested = "arn:aws:cloudformation:eu-west-1:111122223333:stack/inner/1";
    let url = |name: &str| format!("https://sqs.eu-west-1.amazonaws.com/111122223333/{name}");
    tape.on(
        "ListStackResources",
        [
            page(&[
                ("AWS::CloudFormation::Stack", nested),
                ("AWS::SQS::Queue", &url("orders")),
                ("AWS::SNS::Topic", "t"),
            ]),
            page(&[("AWS::SQS::Queue", &url("dead"))]),
        ],
    );
    let selector = Selector { kind: ResourceKind::Queue, by: SelectBy::Stack("shop".into()) };
    let found = tape.account().ask(Call::Resolve { location: prod().location(), selector });
    let queue = |name| resource(ResourceKind::Queue, name);
    assert_eq!(found, Ok(Reply::Resources(vec![queue("dead"), queue("orders")])));
}
