//! What the other tests stand on: the shop works on MiniStack, and squall finds it.

use crate::account::{Account, until};
use crate::emulator::ministack;
use crate::picture::picture;
use crate::shop::Shop;
use crate::squall::{Project, shipped};

/// An order goes all the way: taken, paid, and the customer told.
#[test]
fn an_order_goes_through_the_shop() {
    let account = Account::new(ministack());
    let shop = Shop::deploy(&account);
    let ordered = shop.order();
    assert_eq!((ordered.status, &ordered.error), (Some(202), &None), "{ordered:?}");
    let order = ordered.order.unwrap();
    until("the customer is told", || shop.told().contains(&order).then_some(()));
}

/// squall finds its way in the deployed stack by logical ids, and planning changes nothing.
#[test]
fn a_plan_changes_nothing() {
    let account = Account::new(ministack());
    let shop = Shop::deploy(&account);
    let project = Project::new(&account);
    for hypothesis in ["shoppers-can-order", "no-order-is-lost", "payments-are-taken"] {
        let file = format!("hypotheses/{hypothesis}.yaml");
        project.write(&file, &shipped(&file));
    }
    let file = project.write("experiments/x.yaml", &shipped("experiments/payment-worker-throttled.yaml"));
    let before = picture(&account);
    let plan = project.ended(&["plan", &file]).expect(0);
    assert!(plan.out.contains(&shop.name("PaymentWorker")), "{}", plan.out);
    assert_eq!(picture(&account), before);
}
