"""English notes of the third unseen set: dictated letters, clinic shorthand, scanned forms, messages, lists, claims.

Each template's fields are those of people_third.Fields; `seen` and `yr` are days and years of examinations, and what
is outside the fields identifies nobody. A template in one case throughout has its names written the same way. The
harmless ones tempt: eponyms, hospitals and towns called after people, numbers of lenses, lots, codes and software.
"""

from __future__ import annotations

WITH_EN_THIRD = (
    # Letters, dictated or typed
    "Dear Colleague,\n\nI reviewed Mrs {full} (date of birth {born}) in the medical retina service on {seen}. Her "
    "right eye has dropped to 6/24 and there is new subretinal fluid, so we have gone back to monthly treatment.\n\n"
    "With kind regards,\n\n{bareother}\nSpecialty Doctor",
    "Thank you for your note about this delightful lady. {barefirst} tells me that the left eye has been misty since "
    "Easter. I found asteroid hyalosis and nothing that needs surgery.",
    "new paragraph on examination today mr {last} saw 20/40 on the right and counted fingers on the left full stop "
    "gonioscopy with the sussman lens showed open angles full stop",
    "Re: your patient with the pigmented lesion. I agree with Ms {doclast} that this is CHRPE. {bare} can be "
    "discharged to her optician.",
    "CC {doctor}, optometrist, Kirkgate branch\nHosp. number: {record}\nClinic of {seen}\n1. Bilateral dry AMD, "
    "AREDS category 3\n2. Pseudophakia",
    "Under the care of Professor {doctor} since {yr} for birdshot, HLA-A29 positive, on mycophenolate 1 g bd.",
    "I explained to Mrs {last} and her sister {barethird} that the hole is full thickness, Gass stage 3, and that "
    "posturing matters.",
    "Outside records from Dr. {doctor} (fax {phone}) reviewed: angiogram {seen} with late petaloid leakage.",
    "It was a pleasure to meet Ms. {last}. Ms. {last} has worn hard lenses since {yr} and notices ghosting.",
    "{doctor}, MD, FACS\nVitreoretinal Surgery\nPROCEDURE: 25-gauge vitrectomy, ILM peel, 14 % C3F8, right eye",
    "Registered sight impaired {yr}. Lives with partner {bare}. CVI form completed by Dr {doclast}.",
    # Shorthand of a retina clinic
    "{reversed}  {record}  {born}\nIVA #7 OD, CRT 311 > 288, VA 72 L, T&E 8/52",
    "pls cancel {bare} (mrn {record}) for ffa on {seen}, reacts to fluorescein, icg instead",
    "s/w {barethird} (grandson) translating. a1c 11.2. mod npdr ou, ci-dme os. start ranibizumab x3",
    "Chart #{record} - Amsler distortion OS, Weiss ring OD. RTC 4 wks or PRN.",
    "Acct {record} / exam {seen} / 10-2 HVF / tech: {first} / good cooperation",
    "{initials} seen w/ SpR. NVD 1/3 DA, NVE sup-temp. D/W Mr {doclast}: PRP today, 1600 burns, 20 ms.",
    "MRN: {record}\nDOB: {born}\nLOCATION: RETINA B\nHPI: 66 YO M W/ PDR S/P PRP OU, NEW VH OS X 3 DAYS",
    "77f, dob {born}, cnv os, #14 eylea, iop 17 post, next 10w",
    "{bare} 02/12 post RD repair LE, C3F8 gone, flat, 6/18 ph 6/12. List for YAG with {thirdfirst}.",
    # Scanned paper
    "Name of\npatient    {caps}\nD.O.B.\n{born}\nConsul-\ntant   {doctor}\nVA   R 6/9   L 6/36",
    "REFERRAL\nFrom:  Dr. {doctor}\nTo:  Eye Cas-\nualty\nPatient:  {broken}\nTel.  {phone}\n? retinal tear, supero-\n"
    "temporal, LE",
    "PATIENT DETAILS\n{caps}\nBORN {born}\nPHONE {phone}\nEMAIL {email}\nRECORD {record}",
    "Date of Birth (dd/mm/yy)  {infant}   Gestation 27+3   Birth weight 940 g   Zone II stage 2, no plus",
    "Forename(s)  {first}\nSurname  {last}\nNHS\nnumber  {card}\nR3A M1 right, R2 M0 left, urgent",
    # Messages
    "Hi team, could someone ring {bare} back please? She left a voicemail, number is {phone}, worried about redness "
    "two days after her injection. Thanks, {thirdfirst}",
    "Good morning Dr {doclast}, this is the daughter of {bare}. Mum's eye is sore again after the laser. You can "
    "write to me at {email} any time.",
    "pt's husband {barethird} phoned at 0900, says curtain coming down since last night, told to come straight in. "
    "call him on {phone}",
    "Text sent to {phone}: your eye photographs were fine, see you in 12 months.",
    "Reply to: {email}\nSubject: OCT for a second opinion\nVolume scans of both maculae attached, CST 455.",
    "If no reply try {phone} (neighbour, Mr {doclast}). Photographs need repeating, lids in view.",
    "Contact details updated at the desk: landline {phone}, cell {phone2}, e-mail {email}.",
    "whatsapp from brazil {abroad}, asks whether the gas bubble stops him flying home on {seen}",
    # Lists, nurses, technicians
    "RETINA LIST WEDNESDAY PM\n08:30 {bare} PPV/MEMBRANE PEEL LEFT GA\n10:15 {bareother} CRYO BUCKLE RIGHT LA",
    "Theatre 3, {seen}: {initials} R trab + MMC; {bareother} L phaco, IOL +19.5",
    "ATTENDED WITH SUPPORT WORKER {bare}. UNABLE TO DO FIELDS. DISCS 0.4 BOTH.",
    "Signed: {full}, RN, 14:20. Bevacizumab 1.25 mg/0.05 mL OS, well tolerated. Prior injections: 11.",
    "Photographer {full}; Topcon TRC-50DX, colour and red-free; consent on file.",
    "Known as {barefirst}; registered as {bare}. Keratoconus, Kmax 58.1, listed for cross-linking.",
    "Child: {full}. Parent/guardian: {doctor}, {phone}. Accommodative esotropia, +5.25 OU, BO prism.",
    "infant of {bare}, born {infant} at 26/40, first rop screen today, zone 1, immature",
    # Insurers and other offices
    "Claim form. Insured: {full}. Member ID: {record}. Group 4410. Diagnosis H35.3221. Procedure 67028 x1 OS.",
    "SUBSCRIBER DOB {born} POLICY NO {record} DX E11.3513 CPT 92134 AUTH PENDING",
    "His birthday is {born}, so he will be too old for the trial by the next visit. Stargardt, 20/200 OU.",
    "Hospital no. changed from {record} to {record2} after the merger; old photographs under the first.",
    "Visitor without a local number. Brazilian tax ID (CPF) {cpf}, mobile {abroad}. Acute PVD LE, no break.",
    "DVLA form for {bare}, driver no. not to hand, Esterman attached, 120 of 120 points seen.",
)
HARMLESS_EN_THIRD = (
    "Roth spots OU and a Weiss ring OD. Blood cultures sent {seen}. No endophthalmitis.",
    "Goldmann 14/16 at 10:40, diurnal curve 12-19. Snellen 20/40, 20/40-2. Amsler grid normal.",
    "Vogt-Koyanagi-Harada v sympathetic. Dalen-Fuchs nodules on ICG. Prednisolone 60 mg od, taper by 10 per week.",
    "Best disease, EOG Arden ratio 1.3. Coats, Eales and Norrie considered and dismissed.",
    "LENS: ALCON SN60WF +21.5 D, A-CONSTANT 119.0, BARRETT TARGET -0.18, LOT 31884F1, EXP 2027-08.",
    "Referred on from Bascom Palmer to Wills Eye; a friend recommended Johns Hopkins. Lives in St Helens.",
    "Jackson Memorial ER visit {seen}: CT orbits negative, Snellen deferred, tetanus given.",
    "software build 4.11.2.908, volume 25 x 30 degrees, 61 b-scans, art 16, q 29 db, hra serial on sticker",
    "H35.3211, Z79.4, E11.3593, I10. CPT 92014, 92250, 67028-RT. Modifier 25. Units 1.",
    "Rx OD -2.25 -0.75 x 180, OS -2.00 -1.25 x 175, add +2.50. Vertex 12 mm. PD 63.",
    "Irvine-Gass after phaco in {yr}; ketorolac qid, then Ozurdex. CMT 512 > 301 > 266.",
    "Terson syndrome, GCS 7 on admission. Purtscher-like picture in the fellow eye. Neurosurgery on {seen}.",
    "SEEN IN CLINIC {seen}. NEXT VISIT {seen}. LAST FFA {seen}. NO DATE OF BIRTH ON FORM.",
    "Hope to discharge at the next visit. Grace period for driving explained. Will mark the list as done.",
    "Name badge readable at 3 m without glasses. Reads N5, Patient reports reading novels again.",
    "Phone torch used, pupils 4 > 2 mm, no RAPD. Email reminder declined. ID checked, wristband on.",
    "Protocol AB arm 1, NCT02858076, week 52. Diabetic Retinopathy Clinical Research Network form 7B.",
    "gas: c3f8 14%, 0.8 ml. buckle: 240 band, 70 sleeve. silicone 1000 cs. cryo x6. drained at 7 oclock",
    "Volk 78D, Goldmann three-mirror, Mainster PRP 165, Ellex Integre 532 nm, 200 um, 150 mW, 0.1 s, n=1104.",
    "Dear Doctor,\n\nYour patient attended for retinal screening on {seen}. No retinopathy was found in either eye.\n\n"
    "Yours faithfully,\nScreening Office",
    "Hydroxychloroquine 400 mg (5.1 mg/kg) since {yr}; 10-2, FAF, mfERG normal. Bull's eye absent.",
    "Mother and two aunts with glaucoma; MYOC negative. Sister fine. No record of laser.",
    "Leber's v Kjer. mtDNA 11778 sent. Colour 3/17 Ishihara, D-15 tritan axis. Nerve fibre layer of Henle spared.",
    "Dr advises no swimming. Pt Happy. Left Eye Quiet. Continue Maxidex Qid, Cyclopentolate Bd.",
    "OCR page 3 of 5\nVisual acui-\nty 6/60\nReti-\nnal detach-\nment ex-\ncluded",
    "Bus 43 from Hackney to Old Street; transport booked 0730-1130; bay 12; ticket 0457.",
)
