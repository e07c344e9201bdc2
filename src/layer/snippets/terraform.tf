resource "aws_ssm_parameter" "orders_faults" {
  name  = "/shop/orders/faults"
  type  = "String"
  value = jsonencode({ version = 1 })

  lifecycle {
    # squall writes orders here while an experiment runs.
    ignore_changes = [value]
  }
}

resource "aws_iam_role_policy" "orders_faults" {
  role = aws_iam_role.orders.name
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "ssm:GetParameter", Resource = aws_ssm_parameter.orders_faults.arn }]
  })
}

resource "aws_lambda_function" "orders" {
  # ... what it has already, and:
  layers = [var.squall_layer_arn]

  environment {
    variables = {
      AWS_LAMBDA_EXEC_WRAPPER = "/opt/squall-layer"
      SQUALL_FAULTS_PARAM     = aws_ssm_parameter.orders_faults.name
    }
  }
}
