"""The dashboard: reads what the months left in DynamoDB and S3, computes no figure of its own."""
