"""The front door of the dashboard: TLS, sign-in, and nothing else that listens to the internet."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import cognito, ec2, lb

from stacks.buckets import PrivateBucket
from stacks.dashboard_configuration import EVERYWHERE
from stacks.deployment import Deployment
from stacks.network import Network
from stacks.security_groups import HTTPS, Way, let_in, let_out, make_security_group
from trading.errors import ConfigurationError

TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"
TARGET_PORT = 8501
SESSION_SECONDS = 12 * 3600
IDLE_SECONDS = 300
PASSWORD_LENGTH = 14


@dataclass(frozen=True)
class FrontDoorArgs:
    """The arguments of `FrontDoor`.

    Attributes
    ----------
    logs : the bucket that every request is logged in
    domain : the host name that people type
    certificate : ARN of its certificate in ACM, in the deployment's region
    admitted : IPv4 ranges that may come to the door
    """

    deployment: Deployment
    network: Network
    logs: PrivateBucket
    domain: str
    certificate: str
    admitted: Sequence[str] = (EVERYWHERE,)


class FrontDoor(pulumi.ComponentResource):
    """A load balancer that serves HTTPS to people who have signed in at Cognito.

    The load balancer asks for the sign-in itself: no request of a stranger reaches the dashboard,
    and no secret of the sign-in leaves AWS. Accounts are made by the operator, and each has a
    second factor. WebSockets pass; a session lasts 12 hours.

    Attributes
    ----------
    load_balancer, target_group : what the alarms on the dashboard's availability watch
    security_group : what may speak to the dashboard's tasks
    user_pool : the accounts

    Raises
    ------
    ConfigurationError
        When the certificate lies in another region: a load balancer cannot use it.
    """

    load_balancer: lb.LoadBalancer
    target_group: lb.TargetGroup
    security_group: ec2.SecurityGroup
    user_pool: cognito.UserPool

    def __init__(
        self, name: str, args: FrontDoorArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("trading:dashboard:FrontDoor", name, None, opts)
        _require_region(args)
        self._args = args
        self.security_group = self._security_group()
        self.user_pool = self._user_pool()
        self.load_balancer = self._load_balancer()
        self.target_group = self._target_group()
        self.listener = self._listener(self._client(), self._sign_in())
        self.register_outputs({"address": self.load_balancer.dns_name})

    def _security_group(self) -> ec2.SecurityGroup:
        args, deployment = self._args, self._args.deployment
        group = make_security_group(
            "front-door", "People come in over HTTPS", args.network, deployment, self
        )
        for block in args.admitted:
            let_in(group, Way(f"front-door-{block}", "HTTPS", HTTPS, block), deployment, group)
        sign_in = Way("front-door-sign-in", "The endpoints of Cognito", HTTPS, EVERYWHERE)
        let_out(group, sign_in, deployment, group)
        return group

    def _user_pool(self) -> cognito.UserPool:
        deployment = self._args.deployment
        return cognito.UserPool(
            "people",
            name=deployment.name("people"),
            user_pool_tier="LITE",
            username_attributes=["email"],
            auto_verified_attributes=["email"],
            admin_create_user_config=cognito.UserPoolAdminCreateUserConfigArgs(
                allow_admin_create_user_only=True
            ),
            mfa_configuration="ON",
            software_token_mfa_configuration=cognito.UserPoolSoftwareTokenMfaConfigurationArgs(
                enabled=True
            ),
            password_policy=cognito.UserPoolPasswordPolicyArgs(
                minimum_length=PASSWORD_LENGTH,
                require_lowercase=True,
                require_numbers=True,
                require_symbols=True,
                require_uppercase=True,
                temporary_password_validity_days=7,
            ),
            account_recovery_setting=cognito.UserPoolAccountRecoverySettingArgs(
                recovery_mechanisms=[
                    cognito.UserPoolAccountRecoverySettingRecoveryMechanismArgs(
                        name="verified_email", priority=1
                    )
                ]
            ),
            deletion_protection="ACTIVE" if deployment.protect else "INACTIVE",
            tags=deployment.tags,
            opts=deployment.stateful(self),
        )

    def _client(self) -> cognito.UserPoolClient:
        """Return what the load balancer signs people in as; its secret stays between the two."""
        deployment, domain = self._args.deployment, self._args.domain
        return cognito.UserPoolClient(
            "front-door",
            name=deployment.name("front-door"),
            user_pool_id=self.user_pool.id,
            generate_secret=True,
            allowed_oauth_flows_user_pool_client=True,
            allowed_oauth_flows=["code"],
            allowed_oauth_scopes=["openid", "email"],
            supported_identity_providers=["COGNITO"],
            callback_urls=[f"https://{domain}/oauth2/idpresponse"],
            logout_urls=[f"https://{domain}/"],
            prevent_user_existence_errors="ENABLED",
            enable_token_revocation=True,
            opts=pulumi.ResourceOptions(parent=self.user_pool),
        )

    def _sign_in(self) -> cognito.UserPoolDomain:
        return cognito.UserPoolDomain(
            "sign-in",
            domain=self._args.deployment.global_name("sign-in"),
            user_pool_id=self.user_pool.id,
            opts=pulumi.ResourceOptions(parent=self.user_pool),
        )

    def _load_balancer(self) -> lb.LoadBalancer:
        deployment = self._args.deployment
        return lb.LoadBalancer(
            "front-door",
            name=deployment.name("front-door"),
            load_balancer_type="application",
            internal=False,
            subnets=[subnet.id for subnet in self._args.network.public],
            security_groups=[self.security_group.id],
            # Longer than the dashboard's WebSockets are ever silent.
            idle_timeout=IDLE_SECONDS,
            drop_invalid_header_fields=True,
            desync_mitigation_mode="defensive",
            enable_deletion_protection=deployment.protect,
            access_logs=lb.LoadBalancerAccessLogsArgs(
                enabled=True, bucket=self._args.logs.bucket.bucket, prefix="load-balancer"
            ),
            tags=deployment.tags,
            # The load balancer asks whether it may write there.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self._args.logs.policy]),
        )

    def _target_group(self) -> lb.TargetGroup:
        deployment = self._args.deployment
        return lb.TargetGroup(
            "dashboard",
            name=deployment.name("dashboard"),
            target_type="ip",
            port=TARGET_PORT,
            protocol="HTTPS",
            vpc_id=self._args.network.vpc.id,
            deregistration_delay=30,
            health_check=lb.TargetGroupHealthCheckArgs(
                path="/_stcore/health",
                protocol="HTTPS",
                matcher="200",
                interval=30,
                timeout=10,
                healthy_threshold=2,
                unhealthy_threshold=3,
            ),
            # A browser's downloads lie in the memory of the task that its page comes from.
            stickiness=lb.TargetGroupStickinessArgs(
                type="lb_cookie", enabled=True, cookie_duration=SESSION_SECONDS
            ),
            tags=deployment.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _listener(
        self, client: cognito.UserPoolClient, sign_in: cognito.UserPoolDomain
    ) -> lb.Listener:
        return lb.Listener(
            "front-door",
            load_balancer_arn=self.load_balancer.arn,
            port=HTTPS,
            protocol="HTTPS",
            ssl_policy=TLS_POLICY,
            certificate_arn=self._args.certificate,
            default_actions=[
                lb.ListenerDefaultActionArgs(
                    type="authenticate-cognito",
                    order=1,
                    authenticate_cognito=lb.ListenerDefaultActionAuthenticateCognitoArgs(
                        user_pool_arn=self.user_pool.arn,
                        user_pool_client_id=client.id,
                        user_pool_domain=sign_in.domain,
                        on_unauthenticated_request="authenticate",
                        scope="openid email",
                        session_timeout=SESSION_SECONDS,
                    ),
                ),
                lb.ListenerDefaultActionArgs(
                    type="forward", order=2, target_group_arn=self.target_group.arn
                ),
            ],
            routing_http_response_server_enabled=False,
            routing_http_response_strict_transport_security_header_value="max-age=31536000",
            routing_http_response_x_content_type_options_header_value="nosniff",
            routing_http_response_x_frame_options_header_value="DENY",
            tags=self._args.deployment.tags,
            opts=pulumi.ResourceOptions(parent=self.load_balancer),
        )


def _require_region(args: FrontDoorArgs) -> None:
    region = args.certificate.split(":")[3]
    if region != args.deployment.region:
        raise ConfigurationError(
            f"trading:dashboard.certificate lies in {region}, the load balancer in"
            f" {args.deployment.region}: request one for {args.domain} there"
        )
