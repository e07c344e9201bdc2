//! The binary reads orders from an SSM that is a stand-in, signed as AWS wants it, and injects them.

use std::net::TcpListener;
use std::process::Stdio;

use crate::script::{Opt, line};
use crate::wires::End;

const NEXT: &str = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n\r\n";

fn variables(ssm: &TcpListener) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ENDPOINT_URL_SSM", format!("http://{}", ssm.local_addr().unwrap())),
        ("AWS_REGION", "eu-west-1".into()),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".into()),
        ("AWS_SECRET_ACCESS_KEY", "secret".into()),
        ("AWS_SESSION_TOKEN", "token".into()),
        ("SQUALL_LAYER_WAIT_MS", "10000".into()),
    ]
}

/// A reply as SSM gives it; the document ends in a minute of its own clock.
fn reply(fault: &str) -> String {
    let document =
        format!(r#"{{"version": 1, "o": {{"run": "r", "until": "2026-11-28T08:01:00Z", "fault": {fault}}}}}"#);
    let body = serde_json::json!({ "Parameter": { "Name": "/shop/faults", "Type": "String", "Value": document, "Version": 1 } });
    let body = body.to_string();
    format!("HTTP/1.1 200 OK\r\nDate: Sat, 28 Nov 2026 08:00:00 GMT\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// The first invocation waits for the orders; the reply's own date counts, whatever the clock of this machine says.
#[test]
fn the_first_invocation_sees_the_orders() {
    let opt = Opt::new("ssm");
    let (api, ssm) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let variables = variables(&ssm);
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let upstream = api.local_addr().unwrap().to_string();
    let mut command = opt.command(&upstream, &variables, r#"echo "$AWS_LAMBDA_RUNTIME_API"; read line"#);
    let mut runtime = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let address = line(runtime.stdout.as_mut().unwrap());

    let mut asked = End::of(ssm.accept().unwrap().0);
    let head = asked.head();
    let has = |text: &str| assert!(head.contains(text), "{text}: {head}");
    has("POST / HTTP/1.1\r\n");
    has("\r\nx-amz-target: AmazonSSM.GetParameter\r\n");
    has("\r\nx-amz-security-token: token\r\n");
    has("\r\nauthorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/");
    has(
        "/eu-west-1/ssm/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, Signature=",
    );
    asked.hears(r#"{"Name":"/shop/faults"}"#);

    let mut client = End::connect(address.parse().unwrap());
    let mut server = End::of(api.accept().unwrap().0);
    client.says(NEXT);
    server.hears(NEXT);
    server.says("HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: 7\r\nContent-Length: 2\r\n\r\n{}");
    asked.says(reply(r#"{"error": {"message": "m"}}"#));
    assert!(server.head().starts_with("POST /2018-06-01/runtime/invocation/7/error "));
    drop(runtime.stdin.take());
    let said = runtime.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains(r#""action":"orders""#) && said.contains(r#""action":"inject""#), "{said}");
}

#[test]
fn an_ssm_that_refuses_or_hangs_up_leaves_the_function_alone() {
    for answer in
        ["", "HTTP/1.1 400 Bad Request\r\nContent-Length: 36\r\n\r\n{\"__type\": \"AccessDeniedException\" }\n"]
    {
        let opt = Opt::new(if answer.is_empty() { "hangs-up" } else { "refuses" });
        let (api, ssm) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        let variables = variables(&ssm);
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let upstream = api.local_addr().unwrap().to_string();
        let mut command = opt.command(&upstream, &variables, r#"echo "$AWS_LAMBDA_RUNTIME_API"; read line"#);
        let mut runtime = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let address = line(runtime.stdout.as_mut().unwrap());
        let mut client = End::connect(address.parse().unwrap());
        let mut server = End::of(api.accept().unwrap().0);
        client.says(NEXT);
        server.hears(NEXT);
        let mut asked = End::of(ssm.accept().unwrap().0);
        asked.head();
        asked.says(answer);
        drop(asked);
        let invocation = "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: 7\r\nContent-Length: 2\r\n\r\n{}";
        server.says(invocation);
        client.hears(invocation);
        drop(runtime.stdin.take());
        let said = runtime.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&said.stderr).into_owned();
        let problem = if answer.is_empty() { "SSM cannot be reached" } else { "400 AccessDeniedException" };
        assert!(said.contains(problem), "{said}");
    }
}
