"""Whether an AWS account is fit for a first deployment; it is read and never changed."""
