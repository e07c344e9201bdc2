const faults = new ssm.StringParameter(this, "OrdersFaults", { stringValue: '{"version": 1}' });
orders.addLayers(lambda.LayerVersion.fromLayerVersionArn(this, "SquallLayer", squallLayerArn));
orders.addEnvironment("AWS_LAMBDA_EXEC_WRAPPER", "/opt/squall-layer");
orders.addEnvironment("SQUALL_FAULTS_PARAM", faults.parameterName);
orders.addToRolePolicy(
  new iam.PolicyStatement({ actions: ["ssm:GetParameter"], resources: [faults.parameterArn] }),
);
