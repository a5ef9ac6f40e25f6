/** The door of the rules: use cases, the event union, and the ports that the rest of the server fills. */
export type { Accesses, LogInWay, SettingFact } from './accesses.ts';
export type { Accounts, CurrentAccount, TermsOrder, TermsPreview, TermsWish } from './account.ts';
export * from './address-block.ts';
export type * from './address-book.ts';
export {
  diffOf,
  type ListDiff,
  listBytes,
  listNft,
  listText,
  openedFor,
  type PublishedBlock,
  type PublishedList,
  publishedList,
} from './address-document.ts';
export { type AddressEndpoint, iceEndpoint, type NodeAddresses, signallingEndpoint } from './address-hold.ts';
export type { AddressLists } from './address-list.ts';
export { type ListedPrefix, readListedPrefix } from './address-prefix.ts';
export type { AddressReminders, Behind } from './address-reminders.ts';
export type { Admission, TokenClaims } from './admission.ts';
export type { ApiKeys, ApiKeyView } from './api-key.ts';
export { archiveStatuses, fileNameOf, isArchiveId, mayBecome } from './archive.ts';
export type { ArchiveLinks, Download } from './archive-links.ts';
export { type ArchiveTimes, openTokTimes } from './archive-times.ts';
export { type ArchivePlan, type ArchiveWish, planArchive } from './archive-wish.ts';
export type { Archives, ArchiveView } from './archives.ts';
export { actOf } from './audit.ts';
export * from './audit-log.ts';
export type { Callbacks } from './callback.ts';
export type { Calls, Site } from './calls.ts';
export { type Certificate, fingerprintOf, readCertificate, type SealFormat } from './certificate.ts';
export type { Actions, Client, Welcome } from './client.ts';
export type { ClientLink, CloseReason, Connection } from './connection.ts';
export { type Core, type CorePorts, createCore } from './core.ts';
export type { Credentials, Identity, PageOrigin, PasskeyQuestion, ProviderJourney } from './credentials.ts';
export type { AskedPasskey, Enrolments } from './enrolment.ts';
export type * from './entities.ts';
export type { Actor, Event, EventOf, EventType } from './event.ts';
export type { LogInMethod, NetworkClass } from './event-people.ts';
export type { FeatureUse, FeatureUses, Use } from './feature-use.ts';
export { closeFormerArchives, closeFormerRun, removeUnknownRecordings, unfinishedArchives } from './former-run.ts';
export type { Home } from './home.ts';
export {
  checkLayout,
  defaultLayout,
  type Layout,
  type PredefinedLayout,
  predefinedLayouts,
  requireShortStylesheet,
} from './layout.ts';
export { judge } from './leg.ts';
export type { LogIns, LogInView, Whence } from './log-in.ts';
export type { Manifest } from './manifest.ts';
export type * from './media-plane.ts';
export type * from './people-store.ts';
export type { Invitation, People, PersonView } from './person.ts';
export * from './person-role.ts';
export type { LoggedInPerson, PersonSessions } from './person-session.ts';
export {
  type AddOns,
  entitled,
  type Feature,
  features,
  firstTable,
  type Offer,
  offerOf,
  offers,
  type PlanName,
  type PlanTable,
  requireEntitled,
  type Terms,
} from './plan.ts';
export { PlanBook, refused as plansRefused } from './plan-book.ts';
export type * from './ports.ts';
export type { ClearSecret, Projects, Rotation } from './project.ts';
export { spend } from './rate.ts';
export type * from './recordings.ts';
export { type Role, roles } from './role.ts';
export { sealedContext } from './sealed-context.ts';
export type { Sealings, SealingWish } from './sealing.ts';
export { archiveResolutions, type Sessions, type SessionWish } from './session.ts';
export { projectOfSessionId } from './session-id.ts';
export type { Signal } from './signal.ts';
export { type OpenStorage, type Storages, type StorageWish, storageTargetOf } from './storage.ts';
export { type Stream, streamShape } from './stream.ts';
export type { SupportGrants } from './support-grant.ts';
export type { TermsChange, Turn } from './terms.ts';
export * from './usage.ts';
