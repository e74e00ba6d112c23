"""SageMaker training jobs as processes on this machine, under the container contract."""
