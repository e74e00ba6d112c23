"""The whole environment: from its configuration to its outputs."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pulumi

from stacks.access import Grantable
from stacks.alarm_catalogue import Watched
from stacks.alerts import Alerts, AlertsArgs
from stacks.api import ROUTES, Api, ApiArgs
from stacks.boundary import Boundary, BoundaryArgs
from stacks.configuration import ProgramConfiguration
from stacks.daily import Daily, DailyArgs
from stacks.dashboard import Dashboard, DashboardArgs
from stacks.deployment import Deployment
from stacks.encryption import Encryption, EncryptionArgs
from stacks.front_door import FrontDoor, FrontDoorArgs
from stacks.functions import Functions, FunctionsArgs
from stacks.governance import Governance, GovernanceArgs
from stacks.images import Images, ImagesArgs
from stacks.mail import Mail, MailArgs, MailEvents, MailEventsArgs
from stacks.network import Network, NetworkArgs
from stacks.observability import Observability, ObservabilityArgs
from stacks.orchestration import Orchestration, OrchestrationArgs, executions_arn, machine_arn
from stacks.schedules import Schedules, SchedulesArgs
from stacks.secrets import Rotation, RotationArgs, Secrets, SecretsArgs
from stacks.storage import Storage, StorageArgs
from stacks.training import Training, TrainingArgs, group_name, registry_arns


class Environment:
    """Everything of one environment, in the order of what needs what.

    Attributes
    ----------
    outputs : what the `trading` command is told of it
    """

    def __init__(self, configuration: ProgramConfiguration) -> None:
        self.configuration = configuration
        self.deployment = deployment = self._deployment()
        self.storage = Storage("storage", StorageArgs(deployment))
        self.secrets = Secrets("secrets", SecretsArgs(deployment))
        self.images = Images("images", ImagesArgs(deployment))
        self.alerts = Alerts("alerts", AlertsArgs(deployment, configuration.alert_emails))
        self.mail = Mail("mail", self._mail_args())
        self.training = Training(
            "training",
            TrainingArgs(deployment, self.storage.buckets, self.images.repositories["training"]),
        )
        self.grantable = self._grantable()
        self.functions = Functions("functions", self._functions_args())
        self.orchestration = Orchestration("orchestration", self._orchestration_args())
        self.daily = Daily(
            "daily",
            DailyArgs(
                deployment,
                self.functions.functions,
                self.alerts.topics["critical"].arn,
                self.alerts.key.arn,
                self.storage.tables["ledger"],
            ),
        )
        self._call_functions()
        self.api = Api("api", ApiArgs(deployment, self.functions.functions))
        self.network = Network("network", NetworkArgs(deployment, nat=configuration.dashboard.nat))
        self.front_door = self._front_door()
        self.dashboard = Dashboard("dashboard", self._dashboard_args())
        self._watch()

    @property
    def outputs(self) -> Mapping[str, pulumi.Input[object]]:
        """Names, ARNs and stores, by the names that the command knows."""
        tables = self.storage.tables
        return {
            "environment": self.deployment.environment,
            "region": self.deployment.region,
            "data_store": self.storage.uri("data"),
            "models_store": self.storage.uri("models"),
            "runs_store": self.storage.uri("runs"),
            **{f"{key}_table": table.name for key, table in tables.items()},
            "state_machine_arn": self.orchestration.machine.arn,
            "daily_state_machine_arn": self.daily.machine.arn,
            "functions": {key: f.name for key, f in self.functions.functions.items()},
            "alert_topic_arn": self.alerts.topics["critical"].arn,
            "warning_topic_arn": self.alerts.topics["warning"].arn,
            "dead_letter_queue_url": self.alerts.dead_letters.url,
            "training_image": self.images.references["training"],
            "training_role_arn": self.training.role.arn,
            "model_group": self.training.registry.model_package_group_name,
            "dashboard_image": self.images.references["dashboard"],
            "dashboard_cluster": self.dashboard.cluster.name,
            "dashboard_service": self.dashboard.service.name,
            **self._door_outputs(),
            "api_endpoint": self.api.api.api_endpoint,
            "configuration_set": self.mail.configuration_set.configuration_set_name,
            "mail_identity": self.configuration.mail_identity,
            "sender": self.configuration.settings.notifications.sender,
        }

    def _deployment(self) -> Deployment:
        """Return where and as what the rest deploys: under the boundary and the key."""
        configuration = self.configuration
        bare = Deployment.current(
            configuration.settings.environment,
            protect=configuration.protect,
            log_retention_days=configuration.log_retention_days,
        )
        self.boundary = Boundary("boundary", BoundaryArgs(bare))
        self.encryption = Encryption(
            "encryption",
            EncryptionArgs(
                bare,
                trail=configuration.audit_trail,
                history=configuration.aws_config == "full",
            ),
        )
        return replace(bare, boundary=self.boundary.policy.arn, key=self.encryption.key.arn)

    def _mail_args(self) -> MailArgs:
        configuration = self.configuration
        recipients = configuration.settings.notifications.recipients
        return MailArgs(
            self.deployment,
            configuration.mail_identity,
            recipients if configuration.verify_recipients else (),
        )

    def _grantable(self) -> Grantable:
        model_group, model_packages = registry_arns(self.deployment)
        return Grantable(
            buckets=self.storage.buckets,
            tables=self.storage.tables,
            secrets=self.secrets.providers,
            mail_resources=self.mail.resources,
            mail_recipients=self.mail.recipients,
            sender=self.configuration.settings.notifications.sender,
            alert_topics=self.alerts.topics,
            alert_key=self.alerts.key.arn,
            state_machine=machine_arn(self.deployment),
            executions=executions_arn(self.deployment),
            model_group=model_group,
            model_packages=model_packages,
        )

    def _functions_args(self) -> FunctionsArgs:
        settings = self.configuration.settings
        return FunctionsArgs(
            deployment=self.deployment,
            image=self.images.references["functions"],
            environment=self._function_environment(),
            settings=json.dumps(settings.deviations(), separators=(",", ":"), sort_keys=True),
            grantable=self.grantable,
            dead_letters=self.alerts.dead_letters.arn,
            reserve=self.configuration.reserved_concurrency,
        )

    def _function_environment(self) -> dict[str, pulumi.Input[str]]:
        tables = self.storage.tables
        return {
            "TRADING_DATA_STORE": self.storage.uri("data"),
            "TRADING_MODELS_STORE": self.storage.uri("models"),
            "TRADING_RUNS_STORE": self.storage.uri("runs"),
            **{f"TRADING_{key.upper()}_TABLE": table.name for key, table in tables.items()},
            "TRADING_ALERT_TOPIC": self.alerts.topics["critical"].arn,
            "TRADING_WARNING_TOPIC": self.alerts.topics["warning"].arn,
            "TRADING_PROVIDER_SECRETS": self.secrets.prefix,
            "TRADING_STATE_MACHINE": machine_arn(self.deployment),
            "TRADING_CONFIGURATION_SET": self.mail.configuration_set.configuration_set_name,
            "TRADING_MAIL_IDENTITY": self.configuration.mail_identity,
            "TRADING_TRAINING_IMAGE": self.images.references["training"],
            "TRADING_TRAINING_ROLE": self.training.role.arn,
            "TRADING_MODEL_GROUP": group_name(self.deployment),
            "POWERTOOLS_LOG_LEVEL": self.configuration.settings.log_level,
        }

    def _orchestration_args(self) -> OrchestrationArgs:
        return OrchestrationArgs(
            deployment=self.deployment,
            functions=self.functions.functions,
            training_image=self.images.references["training"],
            training_role=self.training.role.arn,
            instance_type=self.configuration.settings.training.instance_type,
            alert_topic=self.alerts.topics["critical"].arn,
            warning_topic=self.alerts.topics["warning"].arn,
            alert_key=self.alerts.key.arn,
            ledger=self.storage.tables["ledger"],
        )

    def _front_door(self) -> FrontDoor | None:
        asked = self.configuration.dashboard
        if asked.domain is None or asked.certificate is None:
            return None
        return FrontDoor(
            "front-door",
            FrontDoorArgs(
                deployment=self.deployment,
                network=self.network,
                logs=self.storage.logs,
                domain=asked.domain,
                certificate=asked.certificate,
                admitted=asked.admitted,
            ),
        )

    def _door_outputs(self) -> dict[str, pulumi.Input[object]]:
        door = self.front_door
        if door is None:
            return {}
        return {
            "dashboard_url": f"https://{self.configuration.dashboard.domain}",
            "dashboard_address": door.load_balancer.dns_name,
            "user_pool": door.user_pool.id,
        }

    def _dashboard_args(self) -> DashboardArgs:
        read = ("LEDGER_TABLE", "PERFORMANCE_TABLE", "RUNS_STORE", "SIGNALS_TABLE")
        names = self._function_environment()
        return DashboardArgs(
            deployment=self.deployment,
            configuration=self.configuration.dashboard,
            network=self.network,
            image=self.images.references["dashboard"],
            repository=self.images.repositories["dashboard"],
            environment={f"TRADING_{name}": names[f"TRADING_{name}"] for name in read},
            grantable=self.grantable,
            state_machine=machine_arn(self.deployment),
            executions=executions_arn(self.deployment),
            front_door=self.front_door,
        )

    def _call_functions(self) -> None:
        functions, dead_letters = self.functions.functions, self.alerts.dead_letters.arn
        self.schedules = Schedules(
            "schedules",
            SchedulesArgs(
                deployment=self.deployment,
                settings=self.configuration.settings.schedule,
                enabled=self.configuration.schedules,
                start_month=functions["start_month"],
                daily=self.daily.machine.arn,
                dead_letters=dead_letters,
            ),
        )
        Rotation(
            "rotation",
            RotationArgs(
                deployment=self.deployment,
                secrets=self.secrets.providers,
                function=functions["rotate_key"],
                days=self.configuration.key_rotation_days,
            ),
        )
        MailEvents(
            "mail-events",
            MailEventsArgs(
                deployment=self.deployment,
                configuration_set=self.mail.configuration_set.configuration_set_name,
                function=functions["mail_events"],
                dead_letters=dead_letters,
            ),
        )

    def _watch(self) -> None:
        configuration, deployment = self.configuration, self.deployment
        topics = {severity: topic.arn for severity, topic in self.alerts.topics.items()}
        door = self.front_door
        watched = Watched(
            functions={key: f.name for key, f in self.functions.functions.items()},
            machines={"month": self.orchestration.machine.arn, "day": self.daily.machine.arn},
            dead_letters=self.alerts.dead_letters.name,
            schedule_group=self.schedules.group.name,
            api=self.api.api.id,
            answering=list(ROUTES.values()),
            schedules=configuration.schedules,
            door=(door.load_balancer.arn_suffix, door.target_group.arn_suffix) if door else None,
        )
        self.observability = Observability(
            "observability",
            ObservabilityArgs(
                deployment=deployment,
                topics=topics,
                watched=watched,
                log_groups={key: group.name for key, group in self.functions.log_groups.items()},
                dashboard=configuration.metrics_dashboard,
            ),
        )
        self.governance = Governance(
            "governance",
            GovernanceArgs(
                deployment=deployment,
                topics=topics,
                budget_usd=configuration.budget_usd,
                trail=configuration.audit_trail,
                config=configuration.aws_config,
                logs=self.storage.logs,
                watched_buckets=list(self.storage.buckets.values()),
            ),
        )
