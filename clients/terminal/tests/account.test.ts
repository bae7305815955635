import type { KycDocument } from "@veritick/client";
import { describe, expect, test } from "vitest";
import { keyRequest, type KeyForm } from "@/domain/apiKey";
import { countries, countryName } from "@/domain/country";
import { dossier, FILE_BYTES_MAX, fileProblem } from "@/domain/kyc";
import { requirementsLeft } from "@/domain/requirement";

describe("countries", () => {
  test("are those of ISO 3166, each once", () => {
    const codes = countries("en").map(([code]) => code);
    expect(codes).toHaveLength(249);
    expect(new Set(codes).size).toBe(249);
    expect(codes).toEqual(expect.arrayContaining(["AD", "DE", "TL", "ZW"]));
    expect(codes).not.toEqual(expect.arrayContaining(["EU", "UK", "SU", "ZZ"]));
  });

  test("stand in the order and under the names of a language", () => {
    const names = countries("es").map(([, name]) => name);
    expect(names).toContain("Alemania");
    expect(names.indexOf("España")).toBeLessThan(names.indexOf("Francia"));
    expect(countryName("DE", "ru")).toBe("Германия");
  });
});

describe("what an account with real money still takes", () => {
  test.each([
    [[], []],
    [["AGREEMENT"], ["AGREEMENT"]],
    [["COUNTRY"], ["COUNTRY", "COUNTRY_ALLOWED"]],
    [["BIRTH_DATE"], ["BIRTH_DATE", "AGE"]],
    [["COUNTRY_ALLOWED"], ["COUNTRY_ALLOWED"]],
    [["LOCATION_ALLOWED"], ["LOCATION_ALLOWED"]],
  ] as const)("missing %j, left %j", (missing, left) => {
    expect([...requirementsLeft(missing)]).toEqual(left);
  });
});

describe("the request for a key", () => {
  const now = Date.parse("2026-11-26T18:00:00Z");
  const form: KeyForm = { name: " Bot ", scopes: ["READ"], accountIds: [], networks: "", days: 0 };

  test("without an end has none", () => {
    expect(keyRequest(form, now)).toEqual({
      name: "Bot",
      scopes: ["READ"],
      accountIds: [],
      networks: [],
    });
  });

  test.each([
    ["203.0.113.7", ["203.0.113.7"]],
    [" 203.0.113.7,\n::1 ; 10.0.0.0/8 ", ["203.0.113.7", "::1", "10.0.0.0/8"]],
  ])("from %j names %j", (networks, named) => {
    expect(keyRequest({ ...form, networks }, now).networks).toEqual(named);
  });

  test("for days ends so many days later", () => {
    const { expireTime } = keyRequest({ ...form, days: 30 }, now);
    expect(expireTime).toBe("2026-12-26T18:00:00.000Z");
  });
});

describe("a file for the reviewers", () => {
  test.each([
    [1, "image/png", undefined],
    [FILE_BYTES_MAX, "application/pdf", undefined],
    [FILE_BYTES_MAX + 1, "application/pdf", "tooLarge"],
    [0, "image/png", "empty"],
    [1, "image/gif", "wrongType"],
    [1, "", "wrongType"],
  ])("of %i bytes and type %j: %s", (size, type, problem) => {
    expect(fileProblem({ size, type })).toBe(problem);
  });
});

describe("the documents of a kind", () => {
  const document = (state: KycDocument["state"], kind: KycDocument["kind"] = "IDENTITY") =>
    ({ state, kind }) as KycDocument;

  test.each([
    ["nothing yet", [], true],
    ["one that waits", [document("UPLOADED")], false],
    ["one that counts", [document("APPROVED")], false],
    ["one that was refused", [document("REJECTED")], true],
    ["a refused one beside one that counts", [document("REJECTED"), document("APPROVED")], false],
    ["one of another kind", [document("APPROVED", "ADDRESS")], true],
    ["one that is being sent", [document("UPLOADING")], true],
  ])("%s: another one is wanted: %s", (_, documents, wanted) => {
    expect(dossier(documents, "IDENTITY").wanted).toBe(wanted);
  });

  test("what is being sent is no document yet", () => {
    const sending = document("UPLOADING");
    const refused = document("REJECTED");
    const { latest, unfinished, documents } = dossier([sending, refused], "IDENTITY");
    expect([latest, unfinished, documents]).toEqual([refused, sending, [refused]]);
  });
});
