//! `sqs.poison`: messages that really reach the dead-letter queue, and are swept from it.

use std::time::Duration;

use aws_sdk_sqs::types::Message;

use crate::account::{Account, pause};
use crate::day::Day;
use crate::emulator::ministack;
use crate::picture::picture;
use crate::shop::Shop;
use crate::short::shipped_in;
use crate::squall::Project;

/// Everything that lies in a queue.
fn messages(shop: &Shop<'_>, queue: &str) -> Vec<Message> {
    let mut messages = Vec::new();
    loop {
        let receive = shop.account.sqs.receive_message().queue_url(shop.physical(queue)).max_number_of_messages(10);
        let some = shop.account.wait(receive.message_attribute_names("All").visibility_timeout(60).send()).unwrap();
        if some.messages().is_empty() {
            return messages;
        }
        messages.extend_from_slice(some.messages());
    }
}

#[test]
fn orders_that_nobody_can_read_are_dead_letters_and_are_swept() {
    let account = Account::new(ministack());
    let shop = Shop::deploy(&account);
    shop.come_back_after("OrdersQueue", 2);
    let project = Project::new(&account);
    let file = shipped_in(&project, "orders-poisoned", "3m");
    let before = picture(&account);
    Day::with(&shop, |day| {
        let mut run = project.run(&file);
        run.until("effective");
        assert!(shop.counts("OrdersDeadLetters")[0] > 0, "they lie among the dead letters");
        let account = run.until("accounted").what["account"].clone();
        // A send whose answer is late may be there or not, so that it is sent again and counts as one that is not known.
        let count = |key: &str| account[key].as_u64().unwrap();
        assert!(count("accepted") + count("unknown") >= 20 && count("swept") >= 20, "{account}");
        assert_eq!(count("left"), 0, "{account}");
        assert_eq!(shop.counts("OrdersDeadLetters"), [0, 0, 0], "and are gone");
        let (status, err) = run.interrupt();
        assert_eq!(status.code(), Some(5), "{}\n{err}", run.story());
        // Five receives each, and each time the worker says which message it could not read.
        let failures = shop.log("PaymentWorker").iter().filter(|line| line.contains("JSONDecodeError")).count();
        assert!(failures >= 100, "the worker met them {failures} times");
        day.everybody_is_told();
    });
    assert_eq!(picture(&account), before);
}

#[test]
fn notifications_that_nobody_can_read_take_good_ones_with_them() {
    let account = Account::new(ministack());
    let shop = Shop::deploy(&account);
    shop.come_back_after("NotificationQueue", 2);
    let project = Project::new(&account);
    let file = shipped_in(&project, "notifications-poisoned", "60s");
    // MiniStack does not gather messages for the mapping's five seconds, so that batches are of one. They have to gather
    // by themselves: on a busy day the mapping is off for a moment, with a poisoned one among them.
    let run = Day::with(&shop, |day| {
        let mut run = project.run(&file);
        run.until("sent");
        shop.feed("NotifyFunctionNotifications", false);
        day.announcing(|| {
            run.until("sent");
            pause(Duration::from_secs(1));
        });
        shop.feed("NotifyFunctionNotifications", true);
        let (status, err) = run.rest();
        assert_eq!(status.code(), Some(4), "the shop has this weakness\n{}\n{err}", run.story());
        run
    });
    let accounted = run.told.iter().find(|event| event.name == "accounted").unwrap();
    let account = &accounted.what["account"];
    assert_eq!(account["swept"], account["accepted"], "{account}");
    let left = messages(&shop, "NotificationDeadLetters");
    assert!(!left.is_empty(), "customers who were never told");
    for message in left {
        assert!(message.message_attributes().is_none_or(|all| !all.contains_key("squall-run")), "{message:?}");
        assert!(message.body().unwrap().contains("orderId"), "{message:?}");
    }
}
