/**
 * Uploads an artwork, asks for a sticker, watches it being made and fetches its files.
 *
 *     node dist/examples/submit-and-watch.js fox.png out/fox [width in mm]
 *
 * Reads CUTLINE_INGEST_TARGET, CUTLINE_STATUS_TARGET and CUTLINE_API_KEY.
 */
import {
  connect,
  Design_State,
  downloadFiles,
  problemOf,
  settingsFromEnv,
  uploadArtwork,
  watchDesign,
  type Cutline,
  type Design,
  type Problem,
} from "../src/index.js";

async function main(cutline: Cutline, artwork: string, folder: string, widthMm: number): Promise<number> {
  const upload = await uploadArtwork(cutline.ingest, artwork);
  const accepted = await cutline.ingest.submitDesign({ uploadId: upload.id, spec: { widthMm }, title: "From Node.js" });
  const designId = accepted.design!.id;
  console.log(`accepted ${designId}`);

  let last: Design | undefined;
  const onResume = (problem?: Problem) => console.error(`watching again ${problem?.message ?? ""}`);
  for await (const design of watchDesign(cutline.status, designId, { onResume })) {
    console.log(`revision ${design.revision} ${Design_State[design.state]} ${Math.round(100 * design.progress)} %`);
    last = design;
  }
  if (last?.state !== Design_State.READY) {
    console.error(`not made: ${last?.failure?.reason} ${last?.failure?.message}`);
    return 1;
  }
  for (const path of await downloadFiles(last, folder)) {
    console.log(`file ${path}`);
  }
  return 0;
}

const [artwork, folder, widthMm = "60"] = process.argv.slice(2);
if (!artwork || !folder) {
  console.error("usage: submit-and-watch ARTWORK FOLDER [WIDTH_MM]");
  process.exit(2);
}
const cutline = connect(settingsFromEnv());
try {
  process.exitCode = await main(cutline, artwork, folder, Number(widthMm));
} catch (error) {
  const problem = problemOf(error);
  console.error(`${problem.reason || "error"}: ${problem.message}`);
  for (const { field, description } of problem.violations) {
    console.error(`  ${field}: ${description}`);
  }
  process.exitCode = 1;
} finally {
  cutline.close();
}
