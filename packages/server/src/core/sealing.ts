/**
 * What the archives of a project are sealed to: OpenTok's format or our own authenticated one, and the certificates for it.
 * OpenTok knows the certificate of the storage alone; what is set here comes before it, and needs no storage.
 */
import { PlatformError } from '@cloister/protocol';
import type { Accounts } from './account.ts';
import { fingerprintOf, readCertificate, readCertificates, type SealFormat } from './certificate.ts';
import type { Archive, Sealing } from './entities.ts';
import type { Actor } from './event.ts';
import type { Foundation } from './foundation.ts';
import { requireEntitled } from './plan.ts';
import type { ArchiveTerms } from './ports.ts';
import type { Projects } from './project.ts';

/** As it came. */
export interface SealingWish {
  readonly format: SealFormat;
  /** PEM, or base64 of it. */
  readonly certificates: readonly string[];
}

/** Whom an archive is sealed to, as its row has it; nobody: the project's data key. */
export type Recipients = Pick<Archive, 'certificate' | 'recipients'>;

export class Sealings {
  readonly #deps: Foundation;
  readonly #parts: { accounts: Accounts; projects: Projects };

  constructor(deps: Foundation, parts: { accounts: Accounts; projects: Projects }) {
    this.#deps = deps;
    this.#parts = parts;
  }

  /** Null where none is set. */
  get(projectId: string): Promise<Sealing | null> {
    return this.#deps.store.sealings.get(projectId);
  }

  /** What a project's archives are sealed to from now on: the SHA-256 of each certificate; of none: its data key. */
  async sealedTo(projectId: string): Promise<string[]> {
    const sealing = await this.get(projectId);
    if (sealing) return sealing.certificates.map(fingerprintOf);
    const certificate = (await this.#deps.store.storages.get(projectId))?.certificate;
    return certificate ? [fingerprintOf(certificate)] : [];
  }

  /**
   * Sets it for archives that are started from now on.
   * @throws PlatformError `CertificateRefused` that says which certificate and why, `NotEntitled`
   */
  async put(actor: Actor, projectId: string, { format, certificates }: SealingWish): Promise<Sealing> {
    const { clock, recorder, store } = this.#deps;
    const { accountId } = await this.#parts.projects.get(projectId);
    requireEntitled(await this.#parts.accounts.get(accountId), 'archive.encryption');
    const read = readCertificates(certificates, format, clock.now());
    const sealing: Sealing = { projectId, format, certificates: read.map(({ pem }) => pem), updatedAt: clock.now() };
    const certificateSha256 = read.map(({ fingerprint }) => fingerprint);
    const changed = { type: 'sealing.changed', projectId, format, certificateSha256 } as const;
    await this.#parts.accounts.whileEntitled(accountId, 'archive.encryption', () =>
      recorder.change(actor, changed, (event) => store.sealings.put(sealing, event)),
    );
    return sealing;
  }

  /** What the storage says holds again. @throws PlatformError `SealingNotFound` */
  async remove(actor: Actor, projectId: string): Promise<void> {
    const { recorder, store } = this.#deps;
    await recorder.change(actor, { type: 'sealing.removed', projectId }, async (event) => {
      if (!(await store.sealings.remove(projectId, event))) throw new PlatformError('SealingNotFound');
    });
  }

  /**
   * Whom an archive that starts now is sealed to. All that was checked when it was set is checked again.
   * @param terms what is set for it
   * @throws PlatformError `NotEntitled`, `CertificateRefused`; `CertificateNeedsComposed` for an individual archive in
   *   OpenTok's format
   */
  async recipientsFor(
    projectId: string,
    outputMode: Archive['outputMode'],
    { storage, sealing }: ArchiveTerms,
  ): Promise<Recipients> {
    const ofStorage = storage?.certificate ?? null;
    const certificate = sealing?.format === 'opentok' ? (sealing.certificates[0] ?? null) : ofStorage;
    const own = sealing?.format === 'cloister' ? sealing.certificates : [];
    if (own.length === 0 && certificate === null) return { certificate, recipients: own };
    await this.#requireEntitled(projectId);
    if (own.length > 0) {
      readCertificates(own, 'cloister', this.#deps.clock.now());
      return { certificate: null, recipients: own };
    }
    if (outputMode !== 'composed') throw new PlatformError('CertificateNeedsComposed');
    readCertificate(certificate!, 'opentok', this.#deps.clock.now());
    return { certificate, recipients: [] };
  }

  async #requireEntitled(projectId: string): Promise<void> {
    const { accountId } = await this.#parts.projects.get(projectId);
    requireEntitled(await this.#parts.accounts.get(accountId), 'archive.encryption');
  }
}
