//! The shipped shop, deployed from its template with its real functions.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_cloudformation::types::{Capability, StackStatus};
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::Environment;
use aws_sdk_sqs::types::QueueAttributeName;
use aws_smithy_types::retry::RetryConfig;
use serde_json::{Value as Json, json};

use crate::account::{Account, until};
use crate::emulator::folder;
use crate::picture::counts;

/// A stack of the shop, in an account.
pub struct Shop<'a> {
    pub account: &'a Account,
    /// Physical names by logical ids; a queue's is its URL.
    ids: BTreeMap<String, String>,
}

/// What came of an order.
#[derive(Clone, Debug)]
pub struct Ordered {
    /// The status that the shopper got from the shop: 202. A throttled or failed invocation has none.
    pub status: Option<u64>,
    /// The error of Lambda itself: `TooManyRequestsException`; or what the function threw.
    pub error: Option<String>,
    /// The status of Lambda's answer: 429.
    pub http: u16,
    pub order: Option<String>,
    pub took: Duration,
}

/// Each function's folder in `sandbox/shop/functions`.
const FUNCTIONS: [(&str, &str); 3] =
    [("OrderFunction", "order"), ("PaymentWorker", "payment"), ("NotifyFunction", "notify")];

impl<'a> Shop<'a> {
    /// Deploys it: the template by CloudFormation, and then the code of its functions, which the template
    /// names by folder.
    pub fn deploy(account: &'a Account) -> Shop<'a> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("sandbox/shop");
        let mut template = std::fs::read_to_string(root.join("template.yaml")).unwrap();
        for (_, code) in FUNCTIONS {
            let line = format!("CodeUri: functions/{code}/");
            assert!(template.contains(&line));
            template = template.replace(&line, "InlineCode: the code comes next");
        }
        let shop = Shop::deploy_template(
            account,
            &account.stack(),
            &template,
            &FUNCTIONS.map(|(id, code)| (id, root.join("functions").join(code))),
        );
        shop.count_a_request();
        shop
    }

    /// Deploys any template, with the code of functions by their logical ids.
    pub fn deploy_template<P: AsRef<Path>>(
        account: &'a Account,
        stack: &str,
        template: &str,
        code: &[(&str, P)],
    ) -> Shop<'a> {
        let client = &account.cloudformation;
        let create = client.create_stack().stack_name(stack).template_body(template);
        let create = create.capabilities(Capability::CapabilityNamedIam).capabilities(Capability::CapabilityAutoExpand);
        account.wait(create.send()).unwrap();
        until("the stack is there", || {
            let stacks = account.wait(client.describe_stacks().stack_name(stack).send()).unwrap();
            let status = stacks.stacks()[0].stack_status().unwrap().clone();
            assert!(
                matches!(status, StackStatus::CreateInProgress | StackStatus::CreateComplete),
                "{status}: {:?}",
                stacks.stacks()[0].stack_status_reason()
            );
            (status == StackStatus::CreateComplete).then_some(())
        });
        let resources = account.wait(client.describe_stack_resources().stack_name(stack).send()).unwrap();
        let ids = resources.stack_resources().iter().map(|resource| {
            let id = resource.logical_resource_id().unwrap().to_owned();
            (id, resource.physical_resource_id().unwrap_or_default().to_owned())
        });
        let shop = Shop { account, ids: ids.collect() };
        for (id, folder) in code {
            shop.set_code(id, folder.as_ref());
        }
        shop
    }

    /// A request of the api, counted. MiniStack publishes no metric of an api and leaves out the tags that CloudFormation
    /// gives it on AWS, so that nobody could see that it is there.
    fn count_a_request(&self) {
        let api = Dimension::builder().name("ApiId").value(self.name("ShopApi")).build();
        let count = MetricDatum::builder().metric_name("Count").dimensions(api).value(1.0).build();
        let put = self.account.cloudwatch.put_metric_data().namespace("AWS/ApiGateway").metric_data(count);
        self.account.wait(put.send()).unwrap();
    }

    /// Gives a function its code.
    pub fn set_code(&self, function: &str, folder: &Path) {
        let update = self.account.lambda.update_function_code().function_name(self.name(function));
        self.account.wait(update.zip_file(Blob::new(zipped(folder))).send()).unwrap();
        self.settled(function);
    }

    /// Waits until a function has no update in progress.
    pub fn settled(&self, function: &str) {
        until("the update is done", || {
            let get = self.account.lambda.get_function_configuration().function_name(self.name(function));
            let found = self.account.wait(get.send()).unwrap();
            let status = found.last_update_status().cloned();
            (status == Some(aws_sdk_lambda::types::LastUpdateStatus::Successful)).then_some(())
        });
    }

    /// What CloudFormation calls the physical id; for a queue, its URL.
    pub fn physical(&self, id: &str) -> &str {
        self.ids.get(id).unwrap_or_else(|| panic!("the stack has no {id}"))
    }

    /// A resource's name.
    pub fn name(&self, id: &str) -> String {
        let physical = self.physical(id);
        match physical.contains("://") {
            true => physical.rsplit('/').next().unwrap().to_owned(),
            false => physical.to_owned(),
        }
    }

    /// A shopper orders tea: an invocation as the api makes it.
    pub fn order(&self) -> Ordered {
        self.invoke("OrderFunction", &json!({ "body": json!({ "item": "tea", "amount": 1 }).to_string() }))
    }

    /// Invokes a function and waits for what it returns.
    #[expect(clippy::disallowed_methods, reason = "a shopper's wait is what is measured")]
    pub fn invoke(&self, function: &str, event: &Json) -> Ordered {
        let began = std::time::Instant::now();
        let call = self.account.lambda.invoke().function_name(self.name(function));
        // A shopper sees what is answered the first time.
        let once = aws_sdk_lambda::config::Builder::new().retry_config(RetryConfig::disabled());
        let call = call.payload(Blob::new(event.to_string())).customize().config_override(once);
        let reply = self.account.wait(call.send());
        let took = began.elapsed();
        match reply {
            Ok(reply) => {
                let bytes = reply.payload().map(|blob| blob.as_ref().to_vec()).unwrap_or_default();
                let body: Json = serde_json::from_slice(&bytes).unwrap_or(Json::Null);
                let failed = reply.function_error().is_some();
                let order = body["body"].as_str().and_then(|text| serde_json::from_str::<Json>(text).ok());
                Ordered {
                    status: body["statusCode"].as_u64(),
                    error: failed.then(|| body["errorMessage"].as_str().unwrap_or("no message").to_owned()),
                    http: 200,
                    order: order.and_then(|order| order["orderId"].as_str().map(str::to_owned)),
                    took,
                }
            }
            Err(error) => {
                let http = error.raw_response().map(|raw| raw.status().as_u16()).unwrap_or_default();
                let code = aws_smithy_types::error::metadata::ProvideErrorMetadata::code(&error).unwrap_or("none");
                Ordered { status: None, error: Some(code.to_owned()), http, order: None, took }
            }
        }
    }

    /// Visible, in flight and delayed messages of a queue.
    pub fn counts(&self, queue: &str) -> [u64; 3] {
        counts(self.account, self.physical(queue))
    }

    /// Makes messages come back sooner than in the template, where it is minutes.
    pub fn come_back_after(&self, queue: &str, seconds: u32) {
        let set = self.account.sqs.set_queue_attributes().queue_url(self.physical(queue));
        let set = set.attributes(QueueAttributeName::VisibilityTimeout, seconds.to_string());
        self.account.wait(set.send()).unwrap();
    }

    /// Lets a queue try a message as often as it takes, where it gives up after a few receives in the template: how many there
    /// are while a fault is in depends on the machine.
    pub fn never_give_up(&self, queue: &str) {
        let url = self.physical(queue);
        let name = QueueAttributeName::RedrivePolicy;
        let ask = self.account.sqs.get_queue_attributes().queue_url(url).attribute_names(name.clone());
        let found = self.account.wait(ask.send()).unwrap();
        let mut redrive: Json = serde_json::from_str(&found.attributes().unwrap()[&name]).unwrap();
        redrive["maxReceiveCount"] = 1000.into();
        let set = self.account.sqs.set_queue_attributes().queue_url(url).attributes(name, redrive.to_string());
        self.account.wait(set.send()).unwrap();
    }

    /// Changes variables of a function, and leaves its others as they are.
    pub fn set_variables(&self, function: &str, variables: &[(&str, &str)]) {
        let (lambda, name) = (&self.account.lambda, self.name(function));
        let found = self.account.wait(lambda.get_function_configuration().function_name(&name).send()).unwrap();
        let mut all = found.environment().and_then(|all| all.variables()).cloned().unwrap_or_default();
        all.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let environment = Environment::builder().set_variables(Some(all)).build();
        let update = lambda.update_function_configuration().function_name(&name).environment(environment);
        self.account.wait(update.send()).unwrap();
        self.settled(function);
    }

    /// Switches the mapping that feeds a function off or on.
    pub fn feed(&self, mapping: &str, on: bool) {
        let update = self.account.lambda.update_event_source_mapping().uuid(self.physical(mapping)).enabled(on);
        self.account.wait(update.send()).unwrap();
    }

    /// Every line that a function wrote to its log.
    pub fn log(&self, function: &str) -> Vec<String> {
        let group = format!("/aws/lambda/{}", self.name(function));
        let (mut lines, mut token) = (Vec::new(), None);
        loop {
            let ask = self.account.logs.filter_log_events().log_group_name(&group).set_next_token(token);
            let Ok(page) = self.account.wait(ask.send()) else { return lines };
            lines.extend(page.events().iter().filter_map(|event| event.message().map(str::to_owned)));
            token = page.next_token().map(str::to_owned);
            if token.is_none() {
                return lines;
            }
        }
    }

    /// The orders that the customer was told about, by their numbers: each was paid and announced before.
    pub fn told(&self) -> Vec<String> {
        let lines = self.log("NotifyFunction");
        let mails = lines.iter().filter_map(|line| serde_json::from_str::<Json>(line.trim()).ok());
        mails.filter(|mail| !mail["mail"].is_null()).map(|mail| mail["orderId"].as_str().unwrap().to_owned()).collect()
    }
}

/// A folder of code as Lambda takes it; made once.
pub fn zipped(code: &Path) -> Vec<u8> {
    static MADE: Mutex<BTreeMap<PathBuf, Vec<u8>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let bytes = made.entry(code.to_owned()).or_insert_with(|| {
        let to = folder().join(format!("code-{}.zip", std::process::id()));
        let mut files: Vec<_> = std::fs::read_dir(code).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let python = folder().join("ministack/bin/python");
        let status = Command::new(python).args(["-m", "zipfile", "-c"]).arg(&to).args(&files).status().unwrap();
        assert!(status.success());
        let bytes = std::fs::read(&to).unwrap();
        std::fs::remove_file(&to).unwrap();
        bytes
    });
    bytes.clone()
}
