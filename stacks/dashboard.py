"""The dashboard: one small Fargate task during the hours that people work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_aws import appautoscaling, cloudwatch, ec2, ecr, ecs

from stacks.access import Grantable, statements
from stacks.dashboard_configuration import EVERYWHERE, DashboardConfiguration
from stacks.deployment import Deployment
from stacks.front_door import TARGET_PORT, FrontDoor
from stacks.functions_catalogue import DASHBOARD
from stacks.log_groups import make_log_group
from stacks.network import Network
from stacks.policies import Statement
from stacks.roles import RoleArgs, ServiceRole, make_role
from stacks.security_groups import HTTPS, Way, let_in, let_out, make_security_group

CPU_UNITS, MEMORY_MIB = 256, 1024
GRACE_SECONDS = 90
STOP_SECONDS = 30
USER = "1000"
# Where the agent of Session Manager writes; all else in the container is read-only.
SESSION_FOLDERS = ("/var/lib/amazon", "/var/log/amazon")


@dataclass(frozen=True)
class DashboardArgs:
    """The arguments of `Dashboard`.

    Attributes
    ----------
    image, repository : what the task runs, and where it is pulled from
    environment : the names of stores and tables
    grantable : what the task's reading refers to
    state_machine, executions : ARNs of the month's machine and of its executions
    front_door : how people come to it; without one, only Session Manager does
    """

    deployment: Deployment
    configuration: DashboardConfiguration
    network: Network
    image: pulumi.Input[str]
    repository: ecr.Repository
    environment: Mapping[str, pulumi.Input[str]]
    grantable: Grantable
    state_machine: str
    executions: str
    front_door: FrontDoor | None = None


class Dashboard(pulumi.ComponentResource):
    """The dashboard's service on ECS Fargate.

    It is up from Monday to Friday between the configured hours, and costs nothing else. A
    deployment that does not become healthy is rolled back. Only the front door may speak to the
    task; the task may speak to HTTPS servers only, with a public address of its own or through the
    NAT gateway.

    Attributes
    ----------
    cluster, service
    """

    cluster: ecs.Cluster
    service: ecs.Service

    def __init__(
        self, name: str, args: DashboardArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("trading:dashboard:Dashboard", name, None, opts)
        self._args = args
        self.cluster = ecs.Cluster(
            "dashboard",
            name=args.deployment.name("dashboard"),
            settings=[ecs.ClusterSettingArgs(name="containerInsights", value="disabled")],
            tags=args.deployment.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.service = self._service(self._task(), self._security_group())
        self._keep_hours()
        self.register_outputs({"cluster": self.cluster.name, "service": self.service.name})

    def _security_group(self) -> ec2.SecurityGroup:
        args, deployment = self._args, self._args.deployment
        group = make_security_group(
            "dashboard", "The tasks of the dashboard", args.network, deployment, self
        )
        outside = Way(
            "dashboard-way-out",
            "AWS's endpoints: registry, logs, tables, objects, executions",
            HTTPS,
            EVERYWHERE,
        )
        let_out(group, outside, deployment, group)
        if args.front_door:
            door = args.front_door.security_group
            come = Way("dashboard-front-door", "From the front door", TARGET_PORT, door)
            let_in(group, come, deployment, group)
            go = Way("front-door-dashboard", "To the tasks of the dashboard", TARGET_PORT, group)
            let_out(door, go, deployment, group)
        return group

    def _task(self) -> ecs.TaskDefinition:
        args, deployment = self._args, self._args.deployment
        group = make_log_group("dashboard", "/aws/ecs", deployment, self)
        starter, runner = self._starter(group), self._runner()
        return ecs.TaskDefinition(
            "dashboard",
            family=deployment.name("dashboard"),
            requires_compatibilities=["FARGATE"],
            network_mode="awsvpc",
            cpu=str(CPU_UNITS),
            memory=str(MEMORY_MIB),
            runtime_platform=ecs.TaskDefinitionRuntimePlatformArgs(
                cpu_architecture="X86_64", operating_system_family="LINUX"
            ),
            execution_role_arn=starter.arn,
            task_role_arn=runner.arn,
            container_definitions=pulumi.Output.json_dumps(
                [container(args, group.name, self._folders())], sort_keys=True
            ),
            volumes=[
                ecs.TaskDefinitionVolumeArgs(name=volume_name(folder)) for folder in self._folders()
            ],
            tags=deployment.tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[starter.policy, runner.policy]),
        )

    def _folders(self) -> Sequence[str]:
        """Return the folders that can be written."""
        return ("/tmp",) if self._args.front_door else ("/tmp", *SESSION_FOLDERS)  # noqa: S108

    def _starter(self, group: cloudwatch.LogGroup) -> ServiceRole:
        """Return what ECS starts the task as: it pulls the image and writes the log."""
        args, deployment = self._args, self._args.deployment
        pull = [
            "ecr:BatchCheckLayerAvailability",
            "ecr:BatchGetImage",
            "ecr:GetDownloadUrlForLayer",
        ]
        return make_role(
            RoleArgs(
                deployment=deployment,
                key="dashboard-start",
                name=deployment.name("dashboard-start"),
                description="What ECS starts the dashboard's task as",
                service="ecs-tasks.amazonaws.com",
                statements=[
                    Statement("PullImage", pull, [args.repository.arn]),
                    Statement("LogInToRegistry", ["ecr:GetAuthorizationToken"], ["*"]),
                    Statement(
                        "WriteLogs",
                        ["logs:CreateLogStream", "logs:PutLogEvents"],
                        [pulumi.Output.concat(group.arn, ":*")],
                    ),
                ],
            ),
            self,
        )

    def _runner(self) -> ServiceRole:
        """Return what the page runs as: it reads, and nothing else."""
        args, deployment = self._args, self._args.deployment
        own = [
            Statement(
                "FollowMonth",
                ["states:DescribeExecution", "states:GetExecutionHistory"],
                [args.executions],
            ),
            Statement("ReadMachine", ["states:DescribeStateMachine"], [args.state_machine]),
        ]
        if args.front_door is None:
            own.append(Statement("OpenSession", SESSION_ACTIONS, ["*"]))
        return make_role(
            RoleArgs(
                deployment=deployment,
                key="dashboard",
                name=deployment.name("dashboard"),
                description="What the dashboard runs as",
                service="ecs-tasks.amazonaws.com",
                statements=[*statements(DASHBOARD, args.grantable), *own],
            ),
            self,
        )

    def _service(self, task: ecs.TaskDefinition, group: ec2.SecurityGroup) -> ecs.Service:
        args, deployment = self._args, self._args.deployment
        network, door = args.network, args.front_door
        private = args.configuration.nat
        return ecs.Service(
            "dashboard",
            name=deployment.name("dashboard"),
            cluster=self.cluster.arn,
            task_definition=task.arn,
            launch_type="FARGATE",
            platform_version="LATEST",
            desired_count=1,
            deployment_minimum_healthy_percent=100,
            deployment_maximum_percent=200,
            deployment_circuit_breaker=ecs.ServiceDeploymentCircuitBreakerArgs(
                enable=True, rollback=True
            ),
            availability_zone_rebalancing="ENABLED",
            enable_execute_command=door is None,
            network_configuration=ecs.ServiceNetworkConfigurationArgs(
                subnets=[s.id for s in (network.private if private else network.public)],
                security_groups=[group.id],
                assign_public_ip=not private,
            ),
            load_balancers=[
                ecs.ServiceLoadBalancerArgs(
                    target_group_arn=door.target_group.arn,
                    container_name="dashboard",
                    container_port=TARGET_PORT,
                )
            ]
            if door
            else None,
            health_check_grace_period_seconds=GRACE_SECONDS if door else None,
            enable_ecs_managed_tags=True,
            propagate_tags="SERVICE",
            tags=deployment.tags,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[door.listener] if door else [],
                # The hours decide how many run; a deployment at night wakes nobody.
                ignore_changes=["desiredCount"],
            ),
        )

    def _keep_hours(self) -> None:
        deployment, hours = self._args.deployment, self._args.configuration
        target = appautoscaling.Target(
            "dashboard",
            service_namespace="ecs",
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=pulumi.Output.concat("service/", self.cluster.name, "/", self.service.name),
            min_capacity=0,
            max_capacity=1,
            tags=deployment.tags,
            opts=pulumi.ResourceOptions(
                parent=self.service, ignore_changes=["maxCapacity", "minCapacity"]
            ),
        )
        for name, clock, tasks in (("open", hours.opens, 1), ("close", hours.closes, 0)):
            hour, minute = map(int, clock.split(":"))
            appautoscaling.ScheduledAction(
                f"dashboard-{name}",
                name=deployment.name("dashboard", name),
                service_namespace=target.service_namespace,
                scalable_dimension=target.scalable_dimension,
                resource_id=target.resource_id,
                schedule=f"cron({minute} {hour} ? * MON-FRI *)",
                timezone=hours.timezone,
                scalable_target_action=appautoscaling.ScheduledActionScalableTargetActionArgs(
                    min_capacity=tasks, max_capacity=tasks
                ),
                opts=pulumi.ResourceOptions(parent=target),
            )


SESSION_ACTIONS = (
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
)


def volume_name(folder: str) -> str:
    """Return `/var/lib/amazon` as `var-lib-amazon`."""
    return folder.strip("/").replace("/", "-")


def container(
    args: DashboardArgs, log_group: pulumi.Input[str], folders: Sequence[str]
) -> dict[str, Any]:
    """Return the container's definition, as ECS writes it."""
    deployment = args.deployment
    environment = {
        **args.environment,
        "TRADING_DASHBOARD_DOMAIN": args.configuration.domain or "localhost",
        "AWS_REGION": deployment.region,
        "AWS_DEFAULT_REGION": deployment.region,
    }
    return {
        "name": "dashboard",
        "image": args.image,
        "essential": True,
        "user": USER,
        "readonlyRootFilesystem": True,
        "linuxParameters": {"initProcessEnabled": True},
        "stopTimeout": STOP_SECONDS,
        "portMappings": [{"containerPort": TARGET_PORT, "protocol": "tcp"}],
        "environment": [{"name": name, "value": environment[name]} for name in sorted(environment)],
        "mountPoints": [
            {"sourceVolume": volume_name(folder), "containerPath": folder} for folder in folders
        ],
        "healthCheck": {
            "command": ["CMD", "python", "-m", "streamlit_app.health"],
            "interval": 30,
            "timeout": 10,
            "retries": 3,
            "startPeriod": GRACE_SECONDS,
        },
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": log_group,
                "awslogs-region": deployment.region,
                "awslogs-stream-prefix": "dashboard",
                "mode": "non-blocking",
            },
        },
    }
