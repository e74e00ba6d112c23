"""The whole environment: from its configuration to its outputs."""

import json
from collections.abc import Mapping

import pulumi

from stacks.access import Grantable
from stacks.alerts import Alarms, AlarmsArgs, Alerts, AlertsArgs
from stacks.configuration import ProgramConfiguration
from stacks.daily import Daily, DailyArgs
from stacks.deployment import Deployment
from stacks.functions import Functions, FunctionsArgs
from stacks.functions_catalogue import FUNCTIONS
from stacks.images import Images, ImagesArgs
from stacks.mail import Mail, MailArgs, MailEvents, MailEventsArgs
from stacks.orchestration import Orchestration, OrchestrationArgs, executions_arn, machine_arn
from stacks.schedules import Schedules, SchedulesArgs
from stacks.secrets import Secrets, SecretsArgs
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
        self.deployment = deployment = Deployment.current(
            configuration.settings.environment,
            protect=configuration.protect,
            log_retention_days=configuration.log_retention_days,
        )
        self.storage = Storage("storage", StorageArgs(deployment))
        self.secrets = Secrets("secrets", SecretsArgs(deployment))
        self.images = Images("images", ImagesArgs(deployment))
        self.alerts = Alerts("alerts", AlertsArgs(deployment, configuration.alert_email))
        self.mail = Mail("mail", self._mail_args())
        self.training = Training(
            "training",
            TrainingArgs(deployment, self.storage.buckets, self.images.repositories["training"]),
        )
        self.functions = Functions("functions", self._functions_args())
        self.orchestration = Orchestration("orchestration", self._orchestration_args())
        self.daily = Daily(
            "daily",
            DailyArgs(
                deployment,
                self.functions.functions,
                self.alerts.topic.arn,
                self.alerts.key.arn,
            ),
        )
        self._call_functions()
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
            "alert_topic_arn": self.alerts.topic.arn,
            "dead_letter_queue_url": self.alerts.dead_letters.url,
            "training_image": self.images.references["training"],
            "training_role_arn": self.training.role.arn,
            "model_group": self.training.registry.model_package_group_name,
            "dashboard_image": self.images.references["dashboard"],
            "configuration_set": self.mail.configuration_set.configuration_set_name,
            "mail_identity": self.configuration.mail_identity,
            "sender": self.configuration.settings.notifications.sender,
        }

    def _mail_args(self) -> MailArgs:
        configuration = self.configuration
        recipients = configuration.settings.notifications.recipients
        return MailArgs(
            self.deployment,
            configuration.mail_identity,
            recipients if configuration.verify_recipients else (),
        )

    def _functions_args(self) -> FunctionsArgs:
        settings = self.configuration.settings
        model_group, model_packages = registry_arns(self.deployment)
        return FunctionsArgs(
            deployment=self.deployment,
            image=self.images.references["functions"],
            environment=self._function_environment(),
            settings=json.dumps(settings.deviations(), separators=(",", ":"), sort_keys=True),
            grantable=Grantable(
                buckets=self.storage.buckets,
                tables=self.storage.tables,
                secrets=self.secrets.providers,
                mail_resources=self.mail.resources,
                sender=settings.notifications.sender,
                alert_topic=self.alerts.topic.arn,
                alert_key=self.alerts.key.arn,
                state_machine=machine_arn(self.deployment),
                executions=executions_arn(self.deployment),
                model_group=model_group,
                model_packages=model_packages,
            ),
            dead_letters=self.alerts.dead_letters.arn,
        )

    def _function_environment(self) -> dict[str, pulumi.Input[str]]:
        tables = self.storage.tables
        return {
            "TRADING_DATA_STORE": self.storage.uri("data"),
            "TRADING_MODELS_STORE": self.storage.uri("models"),
            "TRADING_RUNS_STORE": self.storage.uri("runs"),
            **{f"TRADING_{key.upper()}_TABLE": table.name for key, table in tables.items()},
            "TRADING_ALERT_TOPIC": self.alerts.topic.arn,
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
            alert_topic=self.alerts.topic.arn,
            alert_key=self.alerts.key.arn,
        )

    def _call_functions(self) -> None:
        functions, dead_letters = self.functions.functions, self.alerts.dead_letters.arn
        Schedules(
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
        unattended = [key for key, spec in FUNCTIONS.items() if spec.asynchronous]
        Alarms(
            "alarms",
            AlarmsArgs(
                deployment=self.deployment,
                topic=self.alerts.topic.arn,
                state_machines={
                    "month": self.orchestration.machine.arn,
                    "day": self.daily.machine.arn,
                },
                dead_letters=self.alerts.dead_letters.name,
                functions={key: self.functions.functions[key].name for key in unattended},
            ),
        )
