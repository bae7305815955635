"""The parts of identity, joined: each is made once, of what all of them stand on."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from services.identity.bans import Bans
from services.identity.breached import BreachedPasswords
from services.identity.document_store import DocumentStore, folder_store, s3_store
from services.identity.erasing import ERASE, Erasing, Pace
from services.identity.flag import Thresholds
from services.identity.geography import Countries, CountryFile
from services.identity.ground import Ground
from services.identity.hashing import PasswordHasher
from services.identity.inspector import Inspector
from services.identity.issuing import Issuer
from services.identity.jobs import Keep, Purge
from services.identity.jurisdiction import Jurisdiction
from services.identity.key_access import KeyAccess
from services.identity.lost_factors import RESET, LostFactors
from services.identity.mailers import LocalMailbox, Mailer, SmtpMailer
from services.identity.neighbours import Accounts
from services.identity.notices import Notices
from services.identity.order_velocity import Velocity
from services.identity.pacing import Orders, Pacing
from services.identity.passkeys import Passkeys
from services.identity.passwords import Passwords
from services.identity.personal_data import PersonalData
from services.identity.post import Post
from services.identity.protecting import Protecting
from services.identity.reality_checks import RealityChecks
from services.identity.referring import Referring
from services.identity.registration import Registration
from services.identity.reviewing import Reviewing
from services.identity.revoking import RevokedSource
from services.identity.second_factors import SecondFactors
from services.identity.session import Limits
from services.identity.settings import Settings
from services.identity.sign_in import SignIn
from services.identity.signing_out import SigningOut
from services.identity.staffing import Staffing
from services.identity.standing import Standing
from services.identity.strength import Strength
from services.identity.suspicion import Suspicion
from services.identity.throttles import Throttle
from services.identity.trace import Bounds
from services.identity.tracing import Tracing
from services.identity.uploading import Uploading
from services.identity.user_keys import UserKeys
from services.identity.vault import Vault
from services.identity.wording import load_wording
from services.kit.approval import Proposal
from services.kit.refusals import Refusals
from services.kit.tokens import Keyring


@dataclass(frozen=True)
class Parts:
    """What identity consists of."""

    settings: Settings
    ground: Ground
    hasher: PasswordHasher
    accounts: Accounts | None = None

    @cached_property
    def post(self) -> Post:
        """Writes to users."""
        return Post(
            self.ground,
            mailer=self._mailer,
            site_url=self.settings.site_url,
            wording=load_wording(),
        )

    @cached_property
    def notices(self) -> Notices:
        """Writes to users about their accounts."""
        return Notices(self.ground, self.post, self.countries)

    @cached_property
    def throttle(self) -> Throttle:
        """Counts tries."""
        return Throttle(self.ground)

    @cached_property
    def refusals(self) -> Refusals:
        """Counts what is refused, for the record."""
        return Refusals(self.ground.journal, self.ground.database, self.ground.clock)

    @cached_property
    def strength(self) -> Strength:
        """Judges passwords."""
        file = self.settings.breached_passwords
        return Strength(BreachedPasswords(file)) if file else Strength()

    @cached_property
    def jurisdiction(self) -> Jurisdiction:
        """Says who may hold real accounts."""
        settings = self.settings
        return Jurisdiction(settings.real_countries, settings.age_min, settings.agreement_version)

    @cached_property
    def standing(self) -> Standing:
        """Keeps what users tell."""
        return Standing(
            self.ground,
            post=self.post,
            throttle=self.throttle,
            jurisdiction=self.jurisdiction,
            countries=self.countries,
            accounts=self.accounts,
        )

    @cached_property
    def registration(self) -> Registration:
        """Takes in new users."""
        return Registration(
            self.ground,
            hasher=self.hasher,
            strength=self.strength,
            standing=self.standing,
            post=self.post,
            referring=self.referring,
            # A command of an administrator has no keys, and takes in only who he names.
            vault=self.vault if self.settings.keys else None,
        )

    @cached_property
    def vault(self) -> Vault:
        """Seals and marks."""
        return Vault.load(self.settings.vault_file)

    @cached_property
    def referring(self) -> Referring:
        """Keeps who brought whom."""
        return Referring(self.ground, self.bounds, self.settings.site_url)

    @cached_property
    def limits(self) -> Limits:
        """How long sessions last."""
        return Limits(
            idle=timedelta(hours=self.settings.session_idle_hours),
            absolute=timedelta(hours=self.settings.session_absolute_hours),
            grace=timedelta(seconds=self.settings.refresh_grace_seconds),
            live_max=self.settings.sessions_max,
        )

    @cached_property
    def signing_out(self) -> SigningOut:
        """Ends sessions."""
        return SigningOut(self.ground, self.limits.idle)

    @cached_property
    def passwords(self) -> Passwords:
        """Replaces passwords."""
        return Passwords(
            self.ground,
            signing_out=self.signing_out,
            hasher=self.hasher,
            strength=self.strength,
            standing=self.standing,
            post=self.post,
            throttle=self.throttle,
            refusals=self.refusals,
        )

    @cached_property
    def factors(self) -> SecondFactors:
        """Checks second factors."""
        demanded = self.settings.demands_second_factor
        return SecondFactors(self.ground, self.vault, self.notices, demanded_of_staff=demanded)

    @cached_property
    def staffing(self) -> Staffing:
        """Gives and takes roles."""
        return Staffing(self.ground, {RESET: self._reset_factor, ERASE: self.erasing.carry_out})

    @cached_property
    def lost_factors(self) -> LostFactors:
        """Helps users back who have lost their second factor."""
        return LostFactors(
            self.ground,
            approvals=self.staffing.approvals,
            factors=self.factors,
            signing_out=self.signing_out,
            notices=self.notices,
        )

    @cached_property
    def bans(self) -> Bans:
        """Shuts users out."""
        return Bans(self.ground, self.signing_out, self.notices)

    @cached_property
    def protecting(self) -> Protecting:
        """Keeps what users set to protect themselves."""
        return Protecting(self.ground, self.settings.currency, self.accounts)

    @cached_property
    def reality_checks(self) -> RealityChecks:
        """Tells users how long they have been signed in."""
        return RealityChecks(self.ground, self.limits.access)

    @cached_property
    def bounds(self) -> Bounds:
        """Says how many users may share what links them."""
        fraud = self.settings.fraud
        return Bounds(fraud.users_per_device, fraud.users_per_address)

    @cached_property
    def countries(self) -> Countries | None:
        """Knows where addresses are; None where nobody gave a file that tells."""
        file = self.settings.country_file
        return CountryFile(file) if file else None

    @cached_property
    def suspicion(self) -> Suspicion:
        """Shows traces, links and flags."""
        return Suspicion(self.ground, self.bounds)

    @cached_property
    def tracing(self) -> Tracing:
        """Follows the sessions that begin."""
        fraud = self.settings.fraud
        thresholds = Thresholds(
            new_users_per_address=fraud.new_users_per_address,
            new_users_per_device=fraud.new_users_per_device,
            devices_per_user=fraud.devices_per_user,
            countries_per_user=fraud.countries_per_user,
        )
        return Tracing(self.ground, self.bounds, thresholds, self.countries)

    def pacing(self, orders: Orders) -> Pacing:
        """Return what counts these orders by where they came from."""
        fraud = self.settings.fraud
        most = Velocity(
            orders_per_device=fraud.orders_per_device,
            orders_per_address=fraud.orders_per_address,
            traders_per_device=fraud.traders_per_device,
            address_users=fraud.users_per_address,
        )
        return Pacing(self.ground, orders, most)

    @cached_property
    def revoked(self) -> RevokedSource:
        """Tells what was taken back."""
        return RevokedSource(self.ground, self.limits.access)

    @cached_property
    def purge(self) -> Purge:
        """Forgets what is over."""
        settings = self.settings
        keep = Keep(
            sessions=timedelta(days=settings.keep_sessions_days),
            mails=timedelta(days=settings.keep_mails_days),
            traces=timedelta(days=settings.fraud.keep_traces_days),
        )
        return Purge(self.ground.database, self.ground.clock, keep)

    @cached_property
    def documents(self) -> DocumentStore | None:
        """Keeps sealed documents; None where nobody said where."""
        settings = self.settings
        if settings.documents_s3 is not None:
            return DocumentStore(s3_store(settings.documents_s3))
        if settings.documents_folder is not None:
            return DocumentStore(folder_store(settings.documents_folder))
        return None

    @cached_property
    def user_keys(self) -> UserKeys:
        """Holds the keys of users."""
        return UserKeys(self.ground, self.vault)

    def uploading(self, store: DocumentStore) -> Uploading:
        """Return what takes documents in."""
        return Uploading(self.ground, keys=self.user_keys, store=store, inspector=Inspector())

    def reviewing(self, store: DocumentStore) -> Reviewing:
        """Return what decides on documents."""
        return Reviewing(self.ground, keys=self.user_keys, store=store)

    @cached_property
    def erasing(self) -> Erasing:
        """Erases users."""
        settings = self.settings
        return Erasing(
            self.ground,
            Pace(
                wait=timedelta(hours=settings.erasure_wait_hours),
                pause=timedelta(seconds=settings.erasure_pause_seconds),
            ),
            signing_out=self.signing_out,
            post=self.post,
            accounts=self.accounts,
            vault=self.vault,
            store=self.documents,
            bounds=self.bounds,
        )

    @cached_property
    def personal_data(self) -> PersonalData:
        """Hands people what is kept about them."""
        documents = (self.user_keys, self.documents) if self.documents else None
        return PersonalData(self.ground, self.accounts, documents)

    def sign_in(self, keyring: Keyring) -> SignIn:
        """Return what begins sessions, and signs their tokens with this keyring."""
        return SignIn(
            self.ground,
            signing_out=self.signing_out,
            hasher=self.hasher,
            throttle=self.throttle,
            factors=self.factors,
            issuer=self._issuer(keyring),
            notices=self.notices,
            refusals=self.refusals,
        )

    def passkeys(self, keyring: Keyring) -> Passkeys:
        """Return what keeps passkeys, and signs challenges with this keyring."""
        site_url = self.settings.site_url
        return Passkeys(self.ground, self.throttle, keyring, site_url, self.notices, self.refusals)

    def key_access(self, keyring: Keyring) -> KeyAccess:
        """Return what keeps API keys, and signs their tokens with this keyring."""
        return KeyAccess(
            self.ground, self.throttle, self._issuer(keyring), self.notices, self.refusals
        )

    def _issuer(self, keyring: Keyring) -> Issuer:
        return Issuer(keyring, self.limits, self.ground.clock, self.ground.ids)

    async def _reset_factor(self, proposal: Proposal) -> str:
        # What carries it out is made of the approvals that know it.
        return await self.lost_factors.carry_out(proposal)

    @property
    def _mailer(self) -> Mailer:
        url = self.settings.smtp_url
        if url is None:
            return LocalMailbox(self.ground)
        return SmtpMailer(url.get_secret_value(), self.settings.mail_from)
