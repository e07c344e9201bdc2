//! SQS.

use super::*;

#[test]
fn each_message_of_a_batch_is_accounted_for_or_all_are_in_doubt() {
    let queue = resource(ResourceKind::Queue, "orders.fifo");
    let send = || {
        let message = |number| Message {
            marker: RunMarker { run: RunId("run-1".into()), number },
            body: "{".into(),
            group: Some("g".into()),
        };
        Call::Send { queue: queue.clone(), messages: vec![message(1), message(2)] }
    };
    let sent = |id: &str| json!({ "Id": id, "MessageId": "m", "MD5OfMessageBody": "x" });
    let failed =
        |sender: bool| json!({ "Id": "1", "Code": "InvalidMessageContents", "Message": "no", "SenderFault": sender });
    let tape = calm();
    tape.on("SendMessageBatch", [fine(json!({ "Successful": [sent("0"), sent("1")], "Failed": [] }))]);
    let account = tape.account();
    assert_eq!(account.ask(send()), Ok(Reply::Sent(vec![SendOutcome::Accepted; 2])));
    let body: Json = serde_json::from_str(&tape.body("SendMessageBatch")).unwrap();
    let first = &body["Entries"][0];
    assert_eq!(first["MessageAttributes"]["squall-run"]["StringValue"], "run-1");
    assert_eq!(first["MessageAttributes"]["squall-number"]["StringValue"], "1");
    assert_eq!((&first["MessageGroupId"], &first["MessageDeduplicationId"]), (&json!("g"), &json!("run-1-1")));

    tape.on("SendMessageBatch", [fine(json!({ "Successful": [sent("0")], "Failed": [failed(true)] }))]);
    let refused = SendOutcome::Refused("InvalidMessageContents: no".into());
    assert_eq!(account.ask(send()), Ok(Reply::Sent(vec![SendOutcome::Accepted, refused])));
    for doubtful in [json!([failed(false)]), json!([])] {
        tape.on("SendMessageBatch", [fine(json!({ "Successful": [sent("0")], "Failed": doubtful }))]);
        assert!(matches!(account.ask(send()), Err(CallError::Unknown(_))));
    }
}

#[test]
fn a_delay_is_one_attribute_among_others() {
    let setting = || Setting::QueueDelay { queue: resource(ResourceKind::Queue, "orders") };
    let tape = calm();
    tape.on("GetQueueAttributes", [fine(json!({ "Attributes": { "DelaySeconds": "90", "VisibilityTimeout": "30" } }))]);
    tape.on("SetQueueAttributes", [fine(json!({}))]);
    let account = tape.account();
    assert_eq!(account.ask(read(setting())), Ok(Reply::Observed(Observed::plain(Value::Number(90)))));
    assert_eq!(account.ask(write(setting(), Value::Number(5))), Ok(Reply::Done));
    let body: Json = serde_json::from_str(&tape.body("SetQueueAttributes")).unwrap();
    assert_eq!(body["Attributes"], json!({ "DelaySeconds": "5" }));
    let (by, _) = refused(account.ask(write(setting(), Value::Unset)));
    assert_eq!(by, RefusedBy::Invalid, "it is never unset");
}

#[test]
fn a_queues_own_key_is_known_by_id_arn_or_alias() {
    let key = |given: &str| {
        let tape = calm();
        tape.on("GetQueueAttributes", [fine(json!({ "Attributes": { "KmsMasterKeyId": given } }))]);
        tape.on("ListMessageMoveTasks", [fine(json!({ "Results": [] }))]);
        match tape.account().ask(Call::Describe { resource: resource(ResourceKind::Queue, "orders") }) {
            Ok(Reply::Description(description)) => match *description {
                Description::Queue(queue) => queue.key,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    };
    let arn = |resource: &str| Some(format!("arn:aws:kms:eu-west-1:{ACCOUNT}:{resource}"));
    assert_eq!(key("1234-abcd"), arn("key/1234-abcd"));
    assert_eq!(key(&format!("arn:aws:kms:eu-west-1:{ACCOUNT}:key/k")), arn("key/k"));
    assert_eq!(key("alias/shop"), arn("key/*"));
    assert_eq!(key(&format!("arn:aws:kms:eu-west-1:{ACCOUNT}:alias/shop")), arn("key/*"));
    assert_eq!([key("alias/aws/sqs"), key("")], [None, None], "AWS's own key needs no permission");
}
