import type { ViewSession } from '../entry/web.ts';
import { defaultCard } from './detect.ts';
import { detector } from './detect-dialog.ts';
import { element } from './element.ts';
import { exporter } from './export-dialog.ts';
import { gallery, tilesPerRow } from './gallery.ts';
import { header } from './header.ts';
import { help } from './help.ts';
import { attachKeys, keysOf } from './keys.ts';
import { slices } from './layout.ts';
import { objectMaker } from './object-dialog.ts';
import { objectPanel } from './object-panel.ts';
import { opener } from './open-dialog.ts';
import { createPage } from './page.ts';
import { pickPanel } from './pick-panel.ts';
import { saver } from './save-dialog.ts';
import { scorePanel } from './score-panel.ts';
import { collectionOf, readSession } from './session.ts';
import { hasUnsavedEdits } from './state.ts';
import { messageLine, workBar } from './status.ts';
import { objectsOf, teacher } from './teach-dialog.ts';
import { teachPanel } from './teach-panel.ts';
import { followAddress, parsePlace } from './url.ts';
import { createWorkspace } from './workspace.ts';

const page = createPage();
let session: ViewSession | undefined;
const workspace = createWorkspace(page);

const views = slices(page, {
  giveVoxelSize: (size) => void workspace.giveVoxelSize(size),
  chooseTruth: (label) => void workspace.openTruth(label),
  chooseOther: (label) => void workspace.openOther(label),
  chooseSegmentation: (label) => void workspace.openSegmentation(label),
});
const crops = gallery(page);
const save = saver(page, workspace);
const teach = teacher(page, workspace, () => session);
const open = opener(page, workspace);
const commands = {
  open: open.show,
  detect: detector(page, workspace, () => session),
  save: () => void save(),
  exportPicks: exporter(page, workspace),
};
const keys = keysOf(page, {
  fit: views.fit,
  save: commands.save,
  detect: commands.detect,
  teach,
  tilesPerRow: () => tilesPerRow(crops),
});

document.body.append(
  header(page, workspace, commands),
  workBar(page),
  element(
    'main',
    {},
    element('div', { className: 'stage' }, views.root, crops),
    element(
      'aside',
      {},
      objectPanel(page, objectMaker(page)),
      teachPanel(page, workspace, teach),
      scorePanel(page),
      pickPanel(page),
    ),
  ),
  messageLine(page),
  help(page, keys),
);
attachKeys(keys);
addEventListener('beforeunload', (event) => {
  const { state } = page.live;
  if (hasUnsavedEdits(state) || state.unsaved.size > 0 || page.desk.busy !== undefined) event.preventDefault();
});
followAddress(page.live);
addEventListener('hashchange', ({ newURL }) => void workspace.openPlace(parsePlace(new URL(newURL).hash)));
page.live.watch(['isGallery'], ({ isGallery }) => {
  views.root.hidden = isGallery;
});

await open.open(async () => {
  session = await readSession();
  const { userId, sessionId } = session;
  // Only the panel of what can be taught waits for it.
  const card = defaultCard(session).catch(() => undefined);
  void card.then((spec) => spec && page.live.change({ networkObjects: objectsOf(spec) }));
  page.live.change({ person: userId, userId, sessionId });
  const collection = await collectionOf(session);
  if (collection === undefined && page.live.state.runs.length === 0) open.show();
  return collection;
}, parsePlace(location.hash));
